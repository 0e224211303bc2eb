// SPDX-License-Identifier: Apache-2.0
// 2. How much flows, and whether that is usual.
import { useState } from 'preact/hooks';
import { byteRate, count, plural, rate, short } from '../format.js';
import { join } from '../model/series.js';
import { recentSeconds } from '../model/ticks.js';
import { findUsual, usualInWords } from '../model/usual.js';
import { chooseService, chooseStep } from '../store.js';
import { Chart, Spark } from './chart.jsx';
import { Cell, Choice, Filter, Name, Quiet, Section, Table, useMore } from './common.jsx';

const steps = [['1s', '10 min'], ['1m', '24 h'], ['15m', '30 d']];
const seconds = { '1s': 600, '1m': 86400, '15m': 30 * 86400 };
const periods = { '1s': 'the last 10 minutes', '1m': 'the last 24 hours', '15m': 'the last 30 days' };
const columns = [{ label: 'Service' }, { label: 'Last minute' }, { label: 'Flows', isNumber: true },
	{ label: 'Active', isNumber: true }, { label: 'In', isNumber: true }, { label: 'Out', isNumber: true }, { label: 'Is it usual?' }];

function Usual({ trends, name }) {
	const usuals = ['flows', 'bytes', 'refused'].map((measure) => findUsual(trends, name, measure)).filter(Boolean);
	if (usuals.length === 0)
		return <span class="quiet">not known yet</span>;
	const unusual = usuals.filter(({ is_unusual }) => is_unusual);
	if (unusual.length === 0)
		return <span title={usualInWords(usuals[0])}>{usuals[0].basis && usuals[0].samples > 0
			? usualInWords(usuals[0]).replace(/; now .*/, '') : <span class="quiet">not known yet</span>}</span>;
	return unusual.map((usual) => <span class="state weak" key={usual.measure}><span class="mark" aria-hidden="true">▲</span>
		{usual.measure}: {usualInWords(usual)}</span>);
}

function Row({ store, service }) {
	const rates = store.ticks.serviceRates(service.name);
	return <tr aria-current={store.service === service.name ? 'true' : undefined}>
		<Cell label="Service"><button type="button" class="link" aria-pressed={store.service === service.name}
			onClick={() => chooseService(store.service === service.name ? null : service.name)}>
			<Name>{service.name}</Name></button></Cell>
		<Cell label="Last minute"><Spark values={store.ticks.sparks.get(service.name) ?? []} /></Cell>
		<Cell label="Flows" isNumber>{rate(rates.flows)}</Cell>
		<Cell label="Active" isNumber>{count(rates.active)}</Cell>
		<Cell label="In" isNumber>{byteRate(rates.bytes_in)}</Cell>
		<Cell label="Out" isNumber>{byteRate(rates.bytes_out)}</Cell>
		<Cell label="Is it usual?"><Usual trends={store.trends.source} name={service.name} /></Cell>
	</tr>;
}

function Charts({ store, theme }) {
	const live = store.service ? store.ticks.followed.series : store.ticks.all;
	const series = store.step === '1s' ? join(store.past, live, recentSeconds) : store.past;
	if (!series || series.at.length === 0)
		return null;
	const usual = store.service && store.step === '1s' ? findUsual(store.trends.source, store.service, 'flows') : null;
	const band = usual && usual.basis && usual.samples > 0 ? usual : null;
	const shared = { at: series.at, theme, period: periods[store.step], seconds: seconds[store.step] };
	return <div class="charts">
		<Chart {...shared} key={`flows ${store.service} ${store.step}`} title="Flows per second" format={rate} band={band}
			lines={[{ label: 'new', values: series.flows, stroke: '--accent', fill: '--accent-soft' },
				{ label: 'refused', values: series.refused, stroke: '--bad', dash: [4, 3] }]} />
		<Chart {...shared} key={`bytes ${store.service} ${store.step}`} title="Bytes per second" format={byteRate}
			lines={[{ label: 'in', values: series.bytes_in, stroke: '--accent' },
				{ label: 'out', values: series.bytes_out, stroke: '--second', dash: [6, 3] }]} />
		<Chart {...shared} key={`active ${store.service} ${store.step}`} title="Open flows" format={short}
			lines={[{ label: 'active', values: series.flows_active, stroke: '--accent', fill: '--accent-soft' }]} />
	</div>;
}

export function Flow({ store, theme }) {
	const [wanted, setWanted] = useState('');
	const { ticks, status } = store;
	const totals = ticks.totals();
	const services = (status?.services ?? []).filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
	const sorted = services.length > 20
		? [...services].sort((a, b) => ticks.serviceRates(b.name).flows - ticks.serviceRates(a.name).flows) : services;
	const [rows, more] = useMore(sorted);
	const answer = ticks.head && `${rate(totals.flows)} new flows, ${byteRate(totals.bytes_in)} in, ` +
		`${byteRate(totals.bytes_out)} out; ${plural(totals.active, 'flow')} open.`;
	const usual = store.service && findUsual(store.trends.source, store.service, 'flows');
	return <Section id="flow" number="2" title="How much flows" answer={answer}
		tools={<>{services.length > 20 && <Filter label="Filter services" value={wanted} onChange={setWanted} />}
			<Choice label="Period" options={steps} value={store.step} onChange={chooseStep} /></>}>
		<p class="scope">{store.service
			? <><Name>{store.service}</Name>: {usualInWords(usual) || 'not known yet what is usual'}{' '}
				<button type="button" class="link" onClick={() => chooseService(null)}>show all services</button></>
			: 'All services together; choose one below to see it alone.'}</p>
		<Charts store={store} theme={theme} />
		<Quiet problem={store.pastProblem} what="what was before" />
		<Table caption="Traffic of services" columns={columns}>
			{rows.map((service) => <Row key={service.name} store={store} service={service} />)}
		</Table>
		{more}
	</Section>;
}
