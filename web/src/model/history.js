// SPDX-License-Identifier: Apache-2.0
// The remembered events: merged, in words, and as a timeline of servers' states. Pure.
import { duration, list, plural, visible } from '../format.js';

const remembered = 3000;

// Newest last. Numbers that begin anew mean a new daemon, which has forgotten what was before.
export function mergeEvents(known, added) {
	let events = known;
	for (const event of added) {
		const last = events[events.length - 1];
		if (!last || event.id > last.id)
			events = [...events, event];
		else if (events.some(({ id, ts }) => id === event.id && ts === event.ts))
			continue;
		else
			events = [event];
	}
	return events.slice(-remembered);
}

const stateWords = { up: 'is put to use', drain: 'is drained: nothing new goes there', maint: 'is in maintenance' };

const who = (event) => `${visible(event.server)} in ${visible(event.pool)}`;

const sentences = {
	started: (event) => `strait ${visible(event.version)} started`,
	stopping: (event) => `strait is stopping (${visible(event.signal)})`,
	stopped: () => 'strait stopped',
	server_up: (event) => `${who(event)} is up`,
	server_down: (event) => `${who(event)} is down: ${visible(event.cause)}`,
	server_ejected: (event) =>
		`${who(event)} is ejected for ${duration(event.for_ms)} after ${plural(event.failures, 'failure')} in a row`,
	server_returned: (event) => `${who(event)} is back from ejection`,
	server_changed: (event) => `${who(event)} ${stateWords[event.state] ?? 'is changed'}, weight ${event.weight}`,
	server_added: (event) => `${who(event)} is added, weight ${event.weight}`,
	server_removed: (event) => `${who(event)} is removed`,
	reloaded: (event) => `Reloaded: generation ${event.generation} is in force`,
	reload_failed: (event) => `A reload failed, generation ${event.generation} stays in force: ${failureInWords(event)}`,
	reload_reverted: (event) => `Nobody confirmed the reload: generation ${event.generation} is in force`,
	reload_revert_failed: () => 'The configuration before the reload could not be brought back',
	reload_confirmed: () => 'The reload is confirmed',
	limit_reached: (event) => `${visible(event.service)} reached a limit and refuses flows: ${visible(event.reason).replaceAll('_', ' ')}`,
	source_unusable: (event) => `${visible(event.pool)} cannot connect from where its source says: ${visible(event.cause)}`,
	name_resolved: (event) => `${visible(event.name)} now stands for ${plural(event.addresses, 'address', 'addresses')}`,
	name_failed: (event) => `${visible(event.name)} cannot be resolved: ${visible(event.cause)}`,
	packet_guard_attached: (event) => `The packet guard is at ${visible(event.interface)} (${visible(event.mode)})`,
	packet_guard_detached: (event) => `The packet guard is no longer at ${visible(event.interface)}`,
	packet_guard_unavailable: (event) => `The packet guard is not everywhere where it should be: ${visible(event.cause)}`,
	drain_timeout: () => 'Time to drain is over',
	audit: (event) => `${visible(event.method)} ${visible(event.path)} was answered ${event.status}`,
	service_anomaly: (event) =>
		`${visible(event.service)}: ${event.measure} are unusual, ${rounded(event.now)}/s now, ${rounded(event.usual)}/s ± ` +
		`${rounded(event.deviation)} usually`,
	service_anomaly_over: (event) => `${visible(event.service)}: ${event.measure} are as usual again`,
};

// Why a reload failed, and where: "unknown directive (strait.conf:7)".
export function failureInWords(event) {
	const place = event.file ? ` (${visible(event.file)}${event.line ? `:${event.line}` : ''})` : '';
	return `${visible(event.cause)}${place}`;
}

function rounded(value) {
	return Number.isFinite(value) ? Number(value.toPrecision(3)) : '–';
}

// An event that is not known has its fields told.
export function inWords(event) {
	if (sentences[event.event])
		return sentences[event.event](event);
	const fields = Object.entries(event).filter(([key]) => !['id', 'ts', 'event'].includes(key))
		.map(([key, value]) => `${visible(key)} ${visible(typeof value === 'object' ? JSON.stringify(value) : value)}`);
	return `${visible(event.event).replaceAll('_', ' ')}${fields.length > 0 ? `: ${fields.join(', ')}` : ''}`;
}

const grave = /^(server_down|server_ejected|reload_failed|reload_revert|name_failed|limit_reached|source_unusable|service_anomaly$)/;
const good = /^(server_up|server_returned|reloaded|reload_confirmed|service_anomaly_over|started)/;

export function gravity(event) {
	return grave.test(event.event) ? 'bad' : good.test(event.event) ? 'good' : 'plain';
}

// Events that say which state a server has from then on, and which it had before.
function transition(event) {
	switch (event.event) {
	case 'server_up': return ['up', 'down'];
	case 'server_down': return ['down', 'up'];
	case 'server_ejected': return ['down', 'up'];
	case 'server_returned': return ['up', 'down'];
	case 'server_changed': return [event.state, 'up'];
	case 'server_added': return [event.state, 'gone'];
	case 'server_removed': return ['gone', 'up'];
	default: return null;
	}
}

// When each server came into its state, as far as events tell: Map("pool\nserver" -> ms).
export function lastTransitions(events) {
	const last = new Map();
	for (const event of events)
		if (transition(event))
			last.set(`${event.pool}\n${event.server}`, Date.parse(event.ts));
	return last;
}

// { from, to, lanes: [{ pool, server, segments: [{ from, to, state }] }], reloads: [{ at, isBad, text }] }, times in ms.
// Lanes with the latest transition first, `most` of them.
export function timeline(events, now, most = 12) {
	const lanes = new Map();
	const reloads = [];
	const begin = events.length > 0 ? Date.parse(events[0].ts) : now;
	for (const event of events) {
		const at = Date.parse(event.ts);
		const change = transition(event);
		if (/^(reloaded|reload_failed|reload_reverted|started)$/.test(event.event))
			reloads.push({ at, isBad: event.event !== 'reloaded' && event.event !== 'started', text: inWords(event) });
		if (!change)
			continue;
		const key = `${event.pool}\n${event.server}`;
		const lane = lanes.get(key) ?? { pool: event.pool, server: event.server, last: at,
			segments: [{ from: begin, to: at, state: change[1] }] };
		const open = lane.segments[lane.segments.length - 1];
		open.to = at;
		lane.segments.push({ from: at, to: now, state: change[0] });
		lane.last = at;
		lanes.set(key, lane);
	}
	const sorted = [...lanes.values()].sort((a, b) => b.last - a.last);
	for (const lane of sorted)
		lane.segments = lane.segments.filter((segment) => segment.to > segment.from);
	return { from: begin, to: Math.max(now, begin + 1000), lanes: sorted.slice(0, most), hiddenCount:
		Math.max(0, sorted.length - most), reloads };
}

export function timelineInWords({ lanes, reloads }) {
	if (lanes.length === 0)
		return 'No server has changed its state.';
	const parts = lanes.map((lane) => {
		const current = lane.segments[lane.segments.length - 1];
		return `${visible(lane.server)} in ${visible(lane.pool)} changed ${plural(lane.segments.length - 1, 'time')} and ` +
			`is ${current?.state ?? 'unknown'}`;
	});
	return `${list(parts, 6)}. ${plural(reloads.length, 'start or reload', 'starts and reloads')}.`;
}

