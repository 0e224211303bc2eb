// SPDX-License-Identifier: Apache-2.0
// 6. What was refused, and why.
import classes from 'packet-classes';
import meanings from 'reasons';
import { count, list, plural, rate, visible } from '../format.js';
import { guardInWords } from '../model/refusals.js';
import { Cell, Section, Table } from './common.jsx';

const columns = [{ label: 'Why' }, { label: 'Reason' }, { label: 'Now', isNumber: true }, { label: 'In all', isNumber: true },
	{ label: 'Services' }];

export function Refused({ store }) {
	const rows = store.refusals.table();
	const total = rows.reduce((sum, row) => sum + row.total, 0);
	const now = rows.reduce((sum, row) => sum + row.rate, 0);
	const answer = store.status && (total === 0 ? 'Nothing was refused since strait started.'
		: `${plural(total, 'flow')} refused since strait started, ${rate(now)} now.`);
	return <Section id="refused" number="6" title="What was refused, and why" answer={answer}>
		{rows.length > 0 && <Table caption="Refused flows by reason" columns={columns}>
			{rows.map((row) => <tr key={row.reason}>
				<Cell label="Why">{sentence(meanings[row.reason] ?? row.reason)}</Cell>
				<Cell label="Reason"><code>{row.reason}</code></Cell>
				<Cell label="Now" isNumber>{rate(row.rate)}</Cell>
				<Cell label="In all" isNumber>{count(row.total)}</Cell>
				<Cell label="Services">{list(row.services.map(({ name, total: part }) => `${visible(name)} ${count(part)}`), 5)}</Cell>
			</tr>)}
		</Table>}
		{store.status?.packet_guard && <Dropped guard={store.status.packet_guard} rows={store.drops.table()} />}
	</Section>;
}

const packetColumns = [{ label: 'Why' }, { label: 'Reason' }, { label: 'Now', isNumber: true }, { label: 'In all', isNumber: true }];

function Dropped({ guard, rows }) {
	const total = rows.reduce((sum, row) => sum + row.total, 0);
	const dropped = total === 0 ? 'None was dropped since strait started.' : `${plural(total, 'packet')} dropped since strait started.`;
	return <>
		<h3>Packets dropped before they became a flow</h3>
		<p>{guardInWords(guard)} {(total > 0 || guard.state === 'active') && dropped}</p>
		{rows.length > 0 && <Table caption="Dropped packets by reason" columns={packetColumns}>
			{rows.map((row) => <tr key={row.reason}>
				<Cell label="Why">{sentence(classes[row.reason] ?? row.reason)}</Cell>
				<Cell label="Reason"><code>{row.reason}</code></Cell>
				<Cell label="Now" isNumber>{rate(row.rate)}</Cell>
				<Cell label="In all" isNumber>{count(row.total)}</Cell>
			</tr>)}
		</Table>}
	</>;
}

function sentence(text) {
	return text.charAt(0).toUpperCase() + text.slice(1);
}
