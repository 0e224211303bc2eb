// SPDX-License-Identifier: Apache-2.0
// 5. Who talks most, and who is new.
import { bytes, clock, count, list, percent, plural, visible } from '../format.js';
import { chooseWindow } from '../store.js';
import { Cell, Choice, Name, Quiet, Section, Table } from './common.jsx';

const windows = [['1m', '1 min'], ['10m', '10 min'], ['1h', '1 h'], ['24h', '24 h']];
const sourceColumns = [{ label: 'Source' }, { label: 'Service' }, { label: 'Flows', isNumber: true }, { label: 'Share' },
	{ label: 'In', isNumber: true }, { label: 'Out', isNumber: true }, { label: 'Refused', isNumber: true }, { label: 'First seen' }];
const destinationColumns = [{ label: 'Server' }, { label: 'Service' }, { label: 'Flows', isNumber: true }, { label: 'Share' },
	{ label: 'In', isNumber: true }, { label: 'Out', isNumber: true }, { label: 'Failed connects', isNumber: true }];

function gather(trends, kind) {
	return (trends?.services ?? []).flatMap((service) => service[kind].map((row) => ({ ...row, service: service.name })))
		.sort((a, b) => b.flows - a.flows);
}

function Share({ share }) {
	return <span class="share"><svg width="60" height="8" aria-hidden="true"><rect class="whole" width="60" height="8" />
		<rect width={Math.max(1, 60 * Math.min(1, share))} height="8" /></svg>{percent(share)}</span>;
}

function SourceRow({ row }) {
	return <tr>
		<Cell label="Source"><Name code>{row.source}</Name>{row.is_new && <span class="tag">new</span>}</Cell>
		<Cell label="Service"><Name most={24}>{row.service}</Name></Cell>
		<Cell label="Flows" isNumber><span title={row.error > 0 ? `at most ${count(row.error)} too many` : undefined}>
			{count(row.flows)}{row.error > 0 && <span class="quiet"> −{count(row.error)}</span>}</span></Cell>
		<Cell label="Share"><Share share={row.share} /></Cell>
		<Cell label="In" isNumber>{bytes(row.bytes_in)}</Cell>
		<Cell label="Out" isNumber>{bytes(row.bytes_out)}</Cell>
		<Cell label="Refused" isNumber>{count(row.refused)}</Cell>
		<Cell label="First seen">{clock(Date.parse(row.first_seen))}</Cell>
	</tr>;
}

function DestinationRow({ row }) {
	return <tr>
		<Cell label="Server"><Name>{row.server}</Name> <span class="quiet">in <Name>{row.pool}</Name></span></Cell>
		<Cell label="Service"><Name most={24}>{row.service}</Name></Cell>
		<Cell label="Flows" isNumber>{count(row.flows)}</Cell>
		<Cell label="Share"><Share share={row.share} /></Cell>
		<Cell label="In" isNumber>{bytes(row.bytes_in)}</Cell>
		<Cell label="Out" isNumber>{bytes(row.bytes_out)}</Cell>
		<Cell label="Failed connects" isNumber>{count(row.connect_failures)}</Cell>
	</tr>;
}

function News({ rows }) {
	if (rows.length === 0)
		return <p>Nobody is new.</p>;
	return <p>New in this time: {rows.slice(0, 12).map((row, i) => <span key={`${row.service} ${row.source}`}>{i > 0 && ', '}
		<Name code>{row.source}</Name> <span class="quiet">({visible(row.service)})</span></span>)}
		{rows.length > 12 && ` and ${rows.length - 12} more`}.</p>;
}

const shown = 15;

export function Talkers({ store }) {
	const { source, destination, window, only, problem } = store.trends;
	const sources = gather(source, 'top').slice(0, shown);
	const unique = (source?.services ?? []).map(({ name, unique_sources }) => `${visible(name)} ${count(unique_sources)}`);
	const answer = source && (sources.length > 0
		? <>Most flows come from <Name code>{sources[0].source}</Name>: {percent(sources[0].share)} of <Name>{sources[0].service}</Name>.</>
		: 'Nobody talked in this time.');
	return <Section id="talkers" number="5" title="Who talks most, and who is new" answer={answer}
		tools={<Choice label="Time" options={windows} value={window} onChange={chooseWindow} />}>
		<Quiet problem={problem} what="who talks" />
		{only && source && <p class="quiet">With so many services only the busiest is asked for, <Name>{only}</Name>; choose another
			in 2.</p>}
		{source && <>
			<News rows={gather(source, 'new')} />
			<Table caption="By source" columns={sourceColumns}>
				{sources.map((row) => <SourceRow key={`${row.service} ${row.source}`} row={row} />)}</Table>
			<p class="quiet">Different sources: {list(unique, 6) || 'none'}.{source.observations_dropped > 0 &&
				` ${plural(source.observations_dropped, 'observation')} lost.`}</p>
			<h3>Where they were sent</h3>
			<Table caption="By destination" columns={destinationColumns}>
				{gather(destination, 'top').slice(0, shown).map((row) =>
					<DestinationRow key={`${row.service} ${row.pool} ${row.server}`} row={row} />)}</Table>
		</>}
	</Section>;
}
