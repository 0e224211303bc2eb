// SPDX-License-Identifier: Apache-2.0
// The top: what this is, whether it is well, how old the numbers are, and where to go.
import { duration, visible } from '../format.js';
import { findProblems } from '../model/health.js';
import { connectNow } from '../store.js';
import { Choice } from './common.jsx';

export const sections = [['exposed', 'Exposed'], ['flow', 'Flow'], ['map', 'Map'], ['servers', 'Servers'],
	['talkers', 'Talkers'], ['refused', 'Refused'], ['flows', 'Open flows'], ['events', 'Events']];
const themes = [['system', 'Auto'], ['light', 'Light'], ['dark', 'Dark']];
const oldAfterMs = 4000;

// { isLive, text }
export function describeStream({ stream, ticks, needsToken }, now) {
	const age = ticks.receivedAt ? now - ticks.receivedAt : null;
	if (needsToken)
		return { isLive: false, text: 'waits for the token' };
	if (stream.name === 'live' && (age === null || age < oldAfterMs))
		return { isLive: true, text: stream.isAsked ? 'live, asked every 2 s' : 'live' };
	if (stream.name === 'connecting' && age === null)
		return { isLive: true, text: 'connecting' };
	const old = age === null ? 'there are no numbers yet' : `numbers are ${duration(age)} old`;
	return { isLive: false, text: `connection lost: ${old}` };
}

export function Header({ store, theme, onTheme, onHelp }) {
	const { status } = store;
	const stream = describeStream(store, Date.now());
	const bad = findProblems({ status, ticks: store.ticks, now: Date.now() }).filter(({ level }) => level === 'bad').length;
	return <header class="top">
		<a class="skip" href="#exposed">Skip to the content</a>
		<div class="line">
			<h1>strait <span class="quiet">{location.host}</span></h1>
			{status && <a class={`health ${bad > 0 ? 'bad' : 'good'}`} href="#exposed">
				<span class="mark" aria-hidden="true">{bad > 0 ? '✕' : '●'}</span>{bad > 0 ? `${bad} to look at` : 'well'}</a>}
			<span class={`stream ${stream.isLive ? 'live' : 'lost'}`}>
				<span class="mark" aria-hidden="true">{stream.isLive ? '●' : '○'}</span>{stream.text}</span>
			{status && <span class="quiet facts">{visible(status.version)}, up {duration(status.uptime_seconds * 1000)}, generation{' '}
				{status.generation}</span>}
			<div class="tools"><Choice label="Colours" options={themes} value={theme} onChange={onTheme} />
				<button type="button" aria-label="Keys and help" onClick={onHelp}>?</button></div>
		</div>
		<nav aria-label="Sections"><ol>{sections.map(([id, text]) => <li key={id}><a href={`#${id}`}>{text}</a></li>)}</ol></nav>
		<div role="alert" class={stream.isLive || store.needsToken ? 'lost-line empty' : 'lost-line'}>
			{!stream.isLive && !store.needsToken && <>
				<span>✕ {stream.text.charAt(0).toUpperCase() + stream.text.slice(1)}. Trying again.</span>
				<button type="button" onClick={connectNow}>Now</button></>}</div>
	</header>;
}
