// SPDX-License-Identifier: Apache-2.0
// What is wrong, in words, worst first; and how each service and server is. Pure.
import { clock, duration, list, percent, plural, visible } from '../format.js';
import { failureInWords } from './history.js';
import { serverKey } from './ticks.js';

const limitWarning = 0.9;

// The state of the stream is newer than that of the last status.
export function currentState(ticks, pool, server) {
	return ticks.servers.get(serverKey(pool.name, server.name))?.values.state ?? server.state;
}

export function poolCounts(pool, ticks) {
	const counts = { up: 0, down: 0, drain: 0, maint: 0, all: pool.servers.length };
	for (const server of pool.servers)
		counts[currentState(ticks, pool, server)]++;
	return counts;
}

// { word: 'ok' | 'weak' | 'bad', text }
export function serviceHealth(pool, ticks) {
	if (!pool)
		return { word: 'ok', text: '' };
	const counts = poolCounts(pool, ticks);
	if (counts.up === 0)
		return { word: 'bad', text: counts.all === 0 ? 'no servers' : `none of ${counts.all} servers is up` };
	const aside = [counts.drain && `${counts.drain} drained`, counts.maint && `${counts.maint} in maintenance`].filter(Boolean);
	if (counts.down > 0)
		return { word: 'weak', text: [`${counts.up} of ${counts.all} servers up`, ...aside].join(', ') };
	if (aside.length > 0)
		return { word: 'ok', text: [`${counts.up} of ${counts.all} servers up`, ...aside].join(', ') };
	return { word: 'ok', text: counts.all === 1 ? 'its server is up' : `all ${counts.all} servers up` };
}

function causes(servers) {
	const texts = new Set(servers.map((server) => server.last_check && !server.last_check.good ? server.last_check.cause : '')
		.filter(Boolean));
	return texts.size === 1 ? `: ${visible([...texts][0])}` : '';
}

function poolProblems(pool, ticks, now) {
	const down = pool.servers.filter((server) => currentState(ticks, pool, server) === 'down');
	const name = visible(pool.name);
	const problems = [];
	if (poolCounts(pool, ticks).up === 0)
		problems.push({ level: 'bad', isOutage: true, where: 'servers', text: `${name}: no server is up, new flows are refused${causes(down)}` });
	else if (down.length > 0) {
		const since = now - Math.max(...down.map((server) => server.state_age_ms));
		problems.push({ level: 'bad', where: 'servers', text: `${name}: ${down.length} of ` +
			`${plural(pool.servers.length, 'server')} down (${list(down.map((server) => visible(server.name)))}), since ` +
			`${clock(since, now)}${causes(down)}` });
	}
	for (const host of pool.names.filter(({ state }) => state === 'failed'))
		problems.push({ level: 'bad', where: 'servers',
			text: `${name}: the name ${visible(host.host)} cannot be resolved${host.last_error ? `: ${visible(host.last_error)}` : ''}` });
	const aside = pool.servers.filter((server) => ['drain', 'maint'].includes(currentState(ticks, pool, server)));
	if (aside.length > 0)
		problems.push({ level: 'note', where: 'servers',
			text: `${name}: ${list(aside.map((server) => visible(server.name)))} ${aside.length === 1 ? 'is' : 'are'} taken out by hand` });
	return problems;
}

function limitProblems(limits) {
	return Object.entries(limits ?? {}).filter(([, { used, max }]) => max > 0 && used / max >= limitWarning)
		.map(([name, { used, max }]) => ({ level: 'bad', where: 'exposed',
			text: `${percent(used / max)} of all ${name} that may be open are in use` }));
}

function anomalies(trends) {
	return (trends?.services ?? []).flatMap((service) => service.usual.filter(({ is_unusual }) => is_unusual)
		.map(({ measure }) => ({ level: 'note', where: 'flow', text: `${visible(service.name)}: ${measure} are unusual` })));
}

function lastFailure(events) {
	const failure = events.findLast(({ event }) => event === 'reload_failed');
	return failure ? `: ${failureInWords(failure)}` : '';
}

// [{ level: 'bad' | 'note', text, where: anchor }]
export function findProblems({ status, ticks, trends, events = [], now }) {
	const problems = [];
	if (!status)
		return problems;
	if (status.phase !== 'running')
		problems.push({ level: 'bad', where: 'exposed', text: `strait is ${visible(status.phase)}` });
	if (!status.reloads.is_last_good)
		problems.push({ level: 'bad', where: 'events',
			text: `The last reload failed, generation ${status.generation} stays in force${lastFailure(events)}` });
	for (const pool of status.pools)
		problems.push(...poolProblems(pool, ticks, now));
	problems.push(...limitProblems(status.limits));
	if (status.log?.dropped > 0)
		problems.push({ level: 'bad', where: 'events', text: `${plural(status.log.dropped, 'log record')} lost: sinks were too slow` });
	problems.push(...anomalies(trends));
	const rank = ({ isOutage, level }) => isOutage ? 0 : level === 'bad' ? 1 : 2;
	return problems.sort((a, b) => rank(a) - rank(b));
}

export function countServers(status, ticks) {
	const sum = { up: 0, down: 0, drain: 0, maint: 0, all: 0 };
	for (const pool of status?.pools ?? []) {
		const counts = poolCounts(pool, ticks);
		for (const key of Object.keys(sum))
			sum[key] += counts[key];
	}
	return sum;
}

export function lastCheckInWords(check) {
	if (!check)
		return 'not checked';
	return `${check.good ? 'good' : visible(check.cause || 'failed')}, ${duration(check.age_ms)} ago`;
}
