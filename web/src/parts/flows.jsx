// SPDX-License-Identifier: Apache-2.0
// 7. The flows that are open now; one can be closed.
import { useEffect, useState } from 'preact/hooks';
import { ask, query } from '../api.js';
import { bytes, count, duration, visible } from '../format.js';
import { closeFlow } from '../store.js';
import { Confirm } from './dialogs.jsx';
import { Cell, Name, Section, Table, useInSight, useMore } from './common.jsx';

const everyMs = 2000;
const limit = 100;
const columns = [{ label: 'Client' }, { label: 'Service' }, { label: 'Server' }, { label: 'Open for', isNumber: true },
	{ label: 'In', isNumber: true }, { label: 'Out', isNumber: true }, { label: 'Id' }, { label: '', unseen: 'Actions' }];

function Row({ flow, onClose }) {
	return <tr>
		<Cell label="Client"><Name code>{flow.client}</Name></Cell>
		<Cell label="Service"><Name most={24}>{flow.service}</Name> <span class="protocol">{flow.protocol}</span></Cell>
		<Cell label="Server"><Name>{flow.server}</Name> <span class="quiet">in <Name>{flow.pool}</Name></span></Cell>
		<Cell label="Open for" isNumber>{duration(flow.duration_ms)}</Cell>
		<Cell label="In" isNumber>{bytes(flow.bytes_in)}</Cell>
		<Cell label="Out" isNumber>{bytes(flow.bytes_out)}</Cell>
		<Cell label="Id"><code>{flow.id}</code></Cell>
		<Cell label="" class="wide"><div class="actions"><button type="button"
			aria-label={`Close flow ${flow.id} of ${visible(flow.client)}`} onClick={() => onClose(flow)}>Close</button></div></Cell>
	</tr>;
}

// Asks as long as the table is in sight and not held.
function useFlows(filter, isAsking) {
	const [answer, setAnswer] = useState({ flows: null, problem: null });
	const path = query('/v1/flows', { ...filter, limit });
	useEffect(() => {
		if (!isAsking)
			return undefined;
		const abort = new AbortController();
		let timer;
		const again = async () => {
			try {
				if (!document.hidden)
					setAnswer({ ...await ask(path, { signal: abort.signal }), problem: null });
			} catch (problem) {
				if (!abort.signal.aborted)
					setAnswer((before) => ({ ...before, problem }));
			}
			if (!abort.signal.aborted)
				timer = setTimeout(again, everyMs);
		};
		timer = setTimeout(again, 200);
		return () => {
			abort.abort();
			clearTimeout(timer);
		};
	}, [path, isAsking]);
	return answer;
}

export function Flows({ store }) {
	const [filter, setFilter] = useState({ service: '', client: '', server: '' });
	const [isHeld, setIsHeld] = useState(false);
	const [closing, setClosing] = useState(null);
	const [ref, isInSight] = useInSight();
	const { flows: unsorted, matched_count, is_whole, problem } = useFlows(filter, isInSight && !isHeld && !store.needsToken);
	const flows = unsorted && [...unsorted].sort((a, b) => b.duration_ms - a.duration_ms);
	const [rows, more] = useMore(flows ?? [], 25);
	const put = (key) => (event) => setFilter({ ...filter, [key]: event.currentTarget.value.trim() });
	const answer = flows && (matched_count > flows.length ? `${count(matched_count)} match; ${flows.length} of them are shown.`
		: `${count(flows.length)} ${flows.length === 1 ? 'is' : 'are'} open.`);
	return <Section id="flows" number="7" title="Which flows are open" answer={answer}
		tools={<button type="button" aria-pressed={isHeld} onClick={() => setIsHeld(!isHeld)}>Hold still</button>}>
		<div ref={ref} class="filters">
			<label>Service <select value={filter.service} onChange={put('service')}><option value="">all</option>
				{(store.status?.services ?? []).map(({ name }) => <option key={name} value={name}>{visible(name)}</option>)}</select></label>
			<label>Client <input type="search" placeholder="address or network" onChange={put('client')} /></label>
			<label>Server <input type="search" placeholder="name or pool/name" onChange={put('server')} /></label>
		</div>
		{problem && <p class="bad-text">{problem.message}</p>}
		{is_whole === false && <p class="quiet">A worker did not answer: this is not all.</p>}
		{flows?.length > 0 && <Table caption="Open flows" columns={columns}>
			{rows.map((flow) => <Row key={flow.id} flow={flow} onClose={setClosing} />)}</Table>}
		{more}
		{closing && <Confirm title="Close this flow?" action="Close the flow" onCancel={() => setClosing(null)}
			onConfirm={() => {
				closeFlow(closing.id);
				setClosing(null);
			}}>
			<p><Name code>{closing.client}</Name> to <Name>{closing.server}</Name> in <Name>{closing.pool}</Name>, open for{' '}
				{duration(closing.duration_ms)}. Both sides are cut off; this cannot be taken back.</p></Confirm>}
	</Section>;
}
