// SPDX-License-Identifier: Apache-2.0
// 8. What happened, newest first.
import { useState } from 'preact/hooks';
import { clock, plural, visible } from '../format.js';
import { gravity, inWords } from '../model/history.js';
import { Choice, Quiet, Section } from './common.jsx';

const shown = 50;
const marks = { bad: '✕', good: '●', plain: '·' };
const kinds = [['changes', 'changes'], ['all', 'with requests']];

export function Events({ store }) {
	const [kind, setKind] = useState('changes');
	const [most, setMost] = useState(shown);
	const events = store.events.filter(({ event }) => kind === 'all' || event !== 'audit');
	const rows = events.slice(-most).reverse();
	return <Section id="events" number="8" title="What happened"
		answer={events.length > 0 && `${plural(events.length, 'event')} since ${clock(Date.parse(events[0].ts))}.`}
		tools={<Choice label="Events shown" options={kinds} value={kind} onChange={setKind} />}>
		<Quiet problem={store.historyProblem} what="what happened" />
		<ol class="events">{rows.map((event) => <li key={event.id} class={gravity(event)}>
			<time dateTime={event.ts}>{clock(Date.parse(event.ts))}</time>
			<span class="mark" aria-hidden="true">{marks[gravity(event)]}</span>
			<details><summary>{inWords(event)}</summary><code class="record">{visible(JSON.stringify(event))}</code></details>
		</li>)}</ol>
		{events.length > most && <button type="button" class="more" onClick={() => setMost(most * 4)}>Show more</button>}
	</Section>;
}
