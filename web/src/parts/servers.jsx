// SPDX-License-Identifier: Apache-2.0
// 4. Are the servers well, and since when; and taking them out and back.
import { useEffect, useRef, useState } from 'preact/hooks';
import { byteRate, clock, count, duration, microseconds, plural, rate, visible } from '../format.js';
import { countServers, currentState, lastCheckInWords } from '../model/health.js';
import { lastTransitions, timeline } from '../model/history.js';
import { changeServer } from '../store.js';
import { Cell, Choice, Filter, Name, Quiet, Section, State, Table, useMore } from './common.jsx';
import { Timeline } from './timeline.jsx';

const columns = [{ label: 'Server' }, { label: 'State' }, { label: 'Since' }, { label: 'Last check' },
	{ label: 'Weight', isNumber: true }, { label: 'Active', isNumber: true }, { label: 'Flows', isNumber: true },
	{ label: 'Bytes', isNumber: true }, { label: 'Failed connects', isNumber: true }, { label: '', unseen: 'Actions' }];
const actions = [['up', 'Ready', 'is back in use'], ['drain', 'Drain', 'is drained'], ['maint', 'Maint', 'is in maintenance']];

function setState(pool, server, state, now, text) {
	const before = now === 'down' ? 'up' : now;
	changeServer(pool.name, server.name, { state }, { state: before },
		`${visible(server.name)} in ${visible(pool.name)} ${text}.`);
}

function Actions({ pool, server, state }) {
	const configured = state === 'down' ? 'up' : state;
	return <div class="actions">{actions.filter(([to]) => to !== configured).map(([to, word, text]) =>
		<button type="button" key={to} aria-label={`${word} ${visible(server.name)} in ${visible(pool.name)}`}
			onClick={() => setState(pool, server, to, state, text)}>{word}</button>)}</div>;
}

function Weight({ pool, server }) {
	const [isOpen, setIsOpen] = useState(false);
	const input = useRef(null);
	useEffect(() => input.current?.select(), [isOpen]);
	const what = `Weight of ${visible(server.name)} in ${visible(pool.name)}`;
	if (!isOpen)
		return <button type="button" class="link" aria-label={`${what}: ${server.weight}. Change`}
			onClick={() => setIsOpen(true)}>{server.weight}</button>;
	const send = (event) => {
		event.preventDefault();
		setIsOpen(false);
		const weight = Number(event.currentTarget.elements.weight.value);
		if (weight !== server.weight)
			changeServer(pool.name, server.name, { weight }, { weight: server.weight },
				`${visible(server.name)} in ${visible(pool.name)} has weight ${weight}.`);
	};
	return <form class="weight" onSubmit={send} onKeyDown={(event) => event.key === 'Escape' && setIsOpen(false)}>
		<input name="weight" type="number" min="1" max="1000" required aria-label={what} defaultValue={server.weight}
			ref={input} /><button type="submit">Set</button></form>;
}

// Whichever tells of the later change: the status, or an event that came since.
function Since({ server, statusAt, lastChange = 0 }) {
	const at = Math.max(statusAt - server.state_age_ms, lastChange);
	return <span title={clock(at)}>{duration(Date.now() - at)}</span>;
}

function Row({ pool, server, store, changes }) {
	const state = currentState(store.ticks, pool, server);
	const rates = store.ticks.serverRates(pool.name, server.name);
	const check = server.last_check;
	return <tr>
		<Cell label="Server"><Name>{server.name}</Name>{server.is_backup && <span class="tag">backup</span>}
			{server.address !== server.name && <span class="under"><Name code most={30}>{server.address}</Name></span>}</Cell>
		<Cell label="State"><State state={state} isEjected={server.is_ejected} /></Cell>
		<Cell label="Since"><Since server={server} statusAt={store.statusAt}
			lastChange={changes.get(`${pool.name}\n${server.name}`)} /></Cell>
		<Cell label="Last check"><span class={check && !check.good ? 'bad-text' : undefined}
			title={check ? `took ${microseconds(check.duration_us)}` : undefined}>{lastCheckInWords(check)}</span></Cell>
		<Cell label="Weight" isNumber><Weight pool={pool} server={server} /></Cell>
		<Cell label="Active" isNumber>{count(rates.active)}</Cell>
		<Cell label="Flows" isNumber>{rate(rates.flows)}</Cell>
		<Cell label="Bytes" isNumber>{byteRate(rates.bytes_in + rates.bytes_out)}</Cell>
		<Cell label="Failed connects" isNumber>{count(server.connect_failures_total)}</Cell>
		<Cell label="" class="wide"><Actions pool={pool} server={server} state={state} /></Cell>
	</tr>;
}

const shows = [['all', 'all'], ['trouble', 'not up']];

function findRows({ status, ticks }, wanted, show) {
	const rows = (status?.pools ?? []).flatMap((pool) => pool.servers.map((server) => ({ pool, server })));
	return rows.filter(({ pool, server }) => (show === 'all' || currentState(ticks, pool, server) !== 'up') &&
		`${pool.name} ${server.name} ${server.address}`.toLowerCase().includes(wanted.toLowerCase()));
}

// A row above the first server of each pool.
function PoolRow({ pool }) {
	return <tr class="group"><th scope="rowgroup" colSpan={columns.length}><Name>{pool.name}</Name>
		<span class="quiet"> {pool.algorithm}, {pool.check === 'none' ? 'not checked' : `checked by ${pool.check}`}, {pool.available_count}{' '}
			of {pool.servers.length} available</span></th></tr>;
}

export function Servers({ store }) {
	const [wanted, setWanted] = useState('');
	const [show, setShow] = useState('all');
	const servers = countServers(store.status, store.ticks);
	const changes = lastTransitions(store.events);
	const [rows, more] = useMore(findRows(store, wanted, show));
	const answer = store.status && [`${servers.up} of ${plural(servers.all, 'server')} up`, servers.down && `${servers.down} down`,
		servers.drain && `${servers.drain} drained`, servers.maint && `${servers.maint} in maintenance`].filter(Boolean).join(', ') + '.';
	return <Section id="servers" number="4" title="Are the servers well" answer={answer}
		tools={<>{servers.all > 8 && <Filter label="Filter servers" value={wanted} onChange={setWanted} />}
			<Choice label="Servers shown" options={shows} value={show} onChange={setShow} /></>}>
		<Table caption="Servers by pool" columns={columns}>
			{rows.map(({ pool, server }, i) => [
				pool !== rows[i - 1]?.pool && <PoolRow key={`pool ${pool.name}`} pool={pool} />,
				<Row key={`${pool.name} ${server.name}`} pool={pool} server={server} store={store}
					changes={changes} />])}
		</Table>
		{rows.length === 0 && store.status && <p class="quiet">{show === 'all' ? 'Nothing matches.' : 'All servers are up.'}</p>}
		{more}
		<h3>Since when</h3>
		<Quiet problem={store.historyProblem} what="what was" />
		{!store.historyProblem && <Timeline made={timeline(store.events, Date.now())} />}
	</Section>;
}
