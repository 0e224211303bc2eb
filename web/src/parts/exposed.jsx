// SPDX-License-Identifier: Apache-2.0
// 1. What is exposed, and what is wrong.
import { useState } from 'preact/hooks';
import { byteRate, count, plural, rate } from '../format.js';
import { countServers, findProblems, serviceHealth } from '../model/health.js';
import { Cell, Filter, Name, Section, Table, useMore } from './common.jsx';

const columns = [{ label: 'Service' }, { label: 'Listens on' }, { label: 'Goes to' }, { label: 'State' },
	{ label: 'Active', isNumber: true }, { label: 'Flows', isNumber: true }, { label: 'In', isNumber: true },
	{ label: 'Out', isNumber: true }];
const healthMarks = { ok: '●', weak: '▲', bad: '✕' };
const healthStates = { ok: 'up', weak: 'weak', bad: 'down' };

function Problems({ problems }) {
	if (problems.length === 0)
		return <p class="well"><span class="mark" aria-hidden="true">●</span> Nothing is wrong.</p>;
	return <ul class="problems">{problems.map(({ level, text, where }) => <li key={text} class={level}>
		<span class="mark" aria-hidden="true">{level === 'bad' ? '✕' : '◌'}</span><a href={`#${where}`}>{text}</a></li>)}</ul>;
}

// Names that can hardly be told apart by their beginning have long addresses, too: at most two are shown.
function Listens({ listens }) {
	const shown = listens.slice(0, 2);
	return <>{shown.map(({ protocol, address }) => <span class="listen" key={protocol + address}>
		<span class="protocol">{protocol}</span> <Name code most={34}>{address}</Name></span>)}
		{listens.length > 2 && <span class="listen quiet">and {listens.length - 2} more</span>}</>;
}

function Row({ service, pool, ticks }) {
	const health = serviceHealth(pool, ticks);
	const rates = ticks.serviceRates(service.name);
	return <tr>
		<Cell label="Service"><Name>{service.name}</Name></Cell>
		<Cell label="Listens on"><Listens listens={service.listens} /></Cell>
		<Cell label="Goes to"><Name>{service.pool}</Name></Cell>
		<Cell label="State"><span class={`state ${healthStates[health.word]}`}>
			<span class="mark" aria-hidden="true">{healthMarks[health.word]}</span>{health.text}</span></Cell>
		<Cell label="Active" isNumber>{count(rates.active)}</Cell>
		<Cell label="Flows" isNumber>{rate(rates.flows)}</Cell>
		<Cell label="In" isNumber>{byteRate(rates.bytes_in)}</Cell>
		<Cell label="Out" isNumber>{byteRate(rates.bytes_out)}</Cell>
	</tr>;
}

const badness = { bad: 0, weak: 1, ok: 2 };

export function Exposed({ store }) {
	const { status, ticks } = store;
	const [wanted, setWanted] = useState('');
	const problems = findProblems({ status, ticks, trends: store.trends.source, events: store.events,
		now: Date.now() });
	const pools = new Map((status?.pools ?? []).map((pool) => [pool.name, pool]));
	const services = (status?.services ?? []).filter(({ name, pool, listens: where }) =>
		[name, pool, ...where.map(({ address }) => address)].some((text) => text.toLowerCase().includes(wanted.toLowerCase())));
	const sorted = services.map((service, i) => [badness[serviceHealth(pools.get(service.pool), ticks).word], i, service])
		.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , service]) => service);
	const [rows, more] = useMore(sorted);
	const servers = countServers(status, ticks);
	const listens = (status?.services ?? []).reduce((sum, service) => sum + service.listens.length, 0);
	const answer = status && `${plural(status.services.length, 'service')} on ${plural(listens, 'address', 'addresses')}, to ` +
		`${plural(status.pools.length, 'pool')}; ${servers.down > 0 ? `${servers.down} of ${plural(servers.all, 'server')} down`
			: `${servers.up} of ${plural(servers.all, 'server')} up`}.`;
	return <Section id="exposed" number="1" title="What is exposed" answer={answer}
		tools={status?.services.length > 8 && <Filter label="Filter services" value={wanted} onChange={setWanted} />}>
		{status && <Problems problems={problems} />}
		<Table caption="Services" columns={columns}>
			{rows.map((service) => <Row key={service.name} service={service} pool={pools.get(service.pool)} ticks={ticks} />)}
		</Table>
		{more}
	</Section>;
}
