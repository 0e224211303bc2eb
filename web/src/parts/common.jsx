// SPDX-License-Identifier: Apache-2.0
// What the parts of the page share: a name that is only text, a state with its mark, a section with its answer.
import { useEffect, useRef, useState } from 'preact/hooks';
import { cut, visible } from '../format.js';
import { stateMarks, stateTexts } from '../model/map.js';

// Chosen by people elsewhere: isolated, so that its direction does not leak; cut in the middle, whole in its title.
export function Name({ children, most = 40, code = false }) {
	const text = visible(children);
	const short = cut(text, most);
	return <bdi class={code ? 'name code' : 'name'} title={short === text ? undefined : text}>{short}</bdi>;
}

const marks = { ...stateMarks, up: '●' };

export function State({ state, isEjected = false }) {
	return <span class={`state ${state}`}><span class="mark" aria-hidden="true">{marks[state] ?? '·'}</span>
		{isEjected ? 'ejected' : stateTexts[state] ?? visible(state)}</span>;
}

export function Section({ id, number, title, answer, children, tools }) {
	return <section id={id} aria-labelledby={`${id}-title`} tabIndex={-1}>
		<header>
			<h2 id={`${id}-title`}><span class="number" aria-hidden="true">{number}</span>{title}</h2>
			{tools && <div class="tools">{tools}</div>}
		</header>
		{answer && <p class="answer">{answer}</p>}
		{children}
	</section>;
}

// One of a few words.
export function Choice({ label, options, value, onChange }) {
	return <div class="choice" role="group" aria-label={label}>
		{options.map(([key, text]) => <button type="button" key={key} aria-pressed={value === key}
			onClick={() => onChange(key)}>{text}</button>)}
	</div>;
}

export function Filter({ label, value, onChange }) {
	return <input type="search" class="filter" aria-label={label} placeholder={label} value={value}
		onInput={(event) => onChange(event.currentTarget.value)} />;
}

// What could not be asked for, said quietly; 404 is an older strait.
export function Quiet({ problem, what }) {
	if (!problem)
		return null;
	return <p class="quiet">{problem.status === 404 ? `This strait does not tell ${what}.` : problem.message}</p>;
}

// The width of an element, as it changes.
export function useWidth() {
	const ref = useRef(null);
	const [width, setWidth] = useState(0);
	useEffect(() => {
		const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
		observer.observe(ref.current);
		return () => observer.disconnect();
	}, []);
	return [ref, width];
}

// Is it, or will it soon be, in sight?
export function useInSight() {
	const ref = useRef(null);
	const [isInSight, setIsInSight] = useState(false);
	useEffect(() => {
		const observer = new IntersectionObserver(([entry]) => setIsInSight(entry.isIntersecting), { rootMargin: '200px' });
		observer.observe(ref.current);
		return () => observer.disconnect();
	}, []);
	return [ref, isInSight];
}

// A table that becomes a list of labelled values where it is narrow. columns: [{ key, label, isNumber, hides }].
export function Table({ caption, columns, children }) {
	return <div class="scroll"><table>
		<caption class="unseen">{caption}</caption>
		<thead><tr>{columns.map((column) => <th key={column.label} scope="col" class={column.isNumber ? 'number' : undefined}>
			{column.label || <span class="unseen">{column.unseen}</span>}</th>)}</tr></thead>
		<tbody>{children}</tbody>
	</table></div>;
}

export function Cell({ label, isNumber, children, class: extra = '' }) {
	return <td data-label={label} class={`${isNumber ? 'number' : ''} ${extra}`.trim() || undefined}>{children}</td>;
}

const rowsShown = 40;

// Shows the first rows, and more when asked.
export function useMore(rows, first = rowsShown) {
	const [most, setMost] = useState(first);
	const more = rows.length > most
		? <button type="button" class="more" onClick={() => setMost(most * 5)}>Show more: {rows.length - most} are hidden</button>
		: null;
	return [rows.slice(0, most), more];
}
