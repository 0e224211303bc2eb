// SPDX-License-Identifier: Apache-2.0
// What the ticks of the event stream tell, merged: all services and servers with their newest counters, rates over the last
// seconds, and the recent past of what is followed. Pure: time comes with the ticks.

const windowSeconds = 5;
export const recentSeconds = 600;

export const counters = ['flows_total', 'bytes_in', 'bytes_out', 'packets_in', 'packets_out', 'refused_total',
	'connect_failures_total'];

export function serverKey(pool, name) {
	return `${pool}\n${name}`;
}

function hasBegunAnew(before, after) {
	return counters.some((key) => (after[key] ?? 0) < (before[key] ?? 0));
}

// One service or server: its newest values and those of the last seconds.
function makeEntry(values, at) {
	return { values, samples: [{ at, values }] };
}

function push(entry, values, at) {
	if (hasBegunAnew(entry.values, values))
		entry.samples = [];
	entry.values = values;
	entry.samples.push({ at, values });
	while (entry.samples.length > 2 && entry.samples[1].at <= at - windowSeconds)
		entry.samples.shift();
}

// Per second; 0 until two samples are there.
export function rateOf(entry, key) {
	if (!entry || entry.samples.length < 2)
		return 0;
	const first = entry.samples[0];
	const last = entry.samples[entry.samples.length - 1];
	return last.at > first.at ? ((last.values[key] ?? 0) - (first.values[key] ?? 0)) / (last.at - first.at) : 0;
}

function lastStep(entry, key) {
	const { samples } = entry;
	if (samples.length < 2)
		return 0;
	const [before, after] = samples.slice(-2);
	return Math.max(0, (after.values[key] ?? 0) - (before.values[key] ?? 0)) / Math.max(after.at - before.at, 0.001);
}

function merge(entries, told, keyOf, isFull, at) {
	const seen = new Set();
	for (const values of told) {
		const key = keyOf(values);
		seen.add(key);
		if (entries.has(key))
			push(entries.get(key), values, at);
		else
			entries.set(key, makeEntry(values, at));
	}
	for (const [key, entry] of entries)
		if (!seen.has(key) && isFull)
			entries.delete(key);
		else if (!seen.has(key))
			push(entry, entry.values, at);
}

function makeSeries() {
	return { at: [], flows: [], bytes_in: [], bytes_out: [], refused: [], flows_active: [] };
}

function append(series, at, sample) {
	series.at.push(at);
	for (const [key, value] of Object.entries(sample))
		series[key].push(value);
	if (series.at.length > recentSeconds)
		for (const values of Object.values(series))
			values.shift();
}

const steps = { flows: 'flows_total', bytes_in: 'bytes_in', bytes_out: 'bytes_out', refused: 'refused_total' };

function sampleOf(entries) {
	const sample = { flows: 0, bytes_in: 0, bytes_out: 0, refused: 0, flows_active: 0 };
	for (const entry of entries) {
		for (const [name, key] of Object.entries(steps))
			sample[name] += lastStep(entry, key);
		sample.flows_active += entry.values.flows_active ?? 0;
	}
	return sample;
}

export class Ticks {
	constructor() {
		this.head = null;           // the newest tick without its lists
		this.receivedAt = 0;        // ms, this machine's clock
		this.services = new Map();  // name -> entry
		this.servers = new Map();   // serverKey -> entry
		this.all = makeSeries();
		this.followed = { name: null, series: makeSeries() };
		this.sparks = new Map();    // name -> flows/s of the last minute
	}

	apply(tick, receivedAt = Date.now()) {
		const { services, servers, ...head } = tick;
		const at = Date.parse(head.ts) / 1000;
		this.head = head;
		this.receivedAt = receivedAt;
		merge(this.services, services, (values) => values.name, head.is_full, at);
		merge(this.servers, servers, (values) => serverKey(values.pool, values.name), head.is_full, at);
		append(this.all, at, sampleOf(this.services.values()));
		if (this.services.has(this.followed.name))
			append(this.followed.series, at, sampleOf([this.services.get(this.followed.name)]));
		this.spark();
	}

	// The last minute of each service, where there are few enough to be looked at.
	spark() {
		if (this.services.size > 200)
			return;
		for (const name of this.sparks.keys())
			if (!this.services.has(name))
				this.sparks.delete(name);
		for (const [name, entry] of this.services) {
			const values = this.sparks.get(name) ?? [];
			values.push(lastStep(entry, 'flows_total'));
			this.sparks.set(name, values.slice(-60));
		}
	}

	// Begins to record one service; the past comes from /v1/trends.
	follow(name) {
		this.followed = { name, series: makeSeries() };
	}

	serviceRates(name) {
		const entry = this.services.get(name);
		return { flows: rateOf(entry, 'flows_total'), bytes_in: rateOf(entry, 'bytes_in'),
			bytes_out: rateOf(entry, 'bytes_out'), refused: rateOf(entry, 'refused_total'),
			active: entry?.values.flows_active ?? 0 };
	}

	serverRates(pool, name) {
		const entry = this.servers.get(serverKey(pool, name));
		return { flows: rateOf(entry, 'flows_total'), bytes_in: rateOf(entry, 'bytes_in'),
			bytes_out: rateOf(entry, 'bytes_out'), failures: rateOf(entry, 'connect_failures_total'),
			active: entry?.values.flows_active ?? 0 };
	}

	// The service that most new flows come to; null when there is none.
	busiest() {
		const names = [...this.services.keys()];
		return names.reduce((best, name) => best === null || this.serviceRates(name).flows > this.serviceRates(best).flows
			? name : best, null);
	}

	totals() {
		const sum = { flows: 0, bytes_in: 0, bytes_out: 0, refused: 0, active: 0 };
		for (const name of this.services.keys()) {
			const rates = this.serviceRates(name);
			for (const key of Object.keys(sum))
				sum[key] += rates[key];
		}
		return sum;
	}
}

const serviceKeys = ['name', 'flows_active', 'flows_total', 'bytes_in', 'bytes_out', 'packets_in', 'packets_out', 'refused_total'];
const serverKeys = ['name', 'state', 'flows_active', 'flows_total', 'bytes_in', 'bytes_out', 'connect_failures_total'];

function pick(object, keys) {
	return Object.fromEntries(keys.map((key) => [key, object[key]]));
}

// What a tick would say, from an answer of /v1/status that came at `at` (ms).
export function tickOfStatus(status, at) {
	return { ...pick(status, ['generation', 'phase', 'is_degraded']), ts: new Date(at).toISOString(), is_full: true,
		services: status.services.map((service) => pick(service, serviceKeys)),
		servers: status.pools.flatMap((pool) => pool.servers.map((server) => ({ pool: pool.name, ...pick(server, serverKeys) }))) };
}

// The merged state as one full tick, for a tab that comes later.
export class TickMerger {
	constructor() {
		this.head = null;
		this.services = new Map();
		this.servers = new Map();
	}

	apply({ services, servers, ...head }) {
		this.head = head;
		if (head.is_full) {
			this.services.clear();
			this.servers.clear();
		}
		for (const values of services)
			this.services.set(values.name, values);
		for (const values of servers)
			this.servers.set(serverKey(values.pool, values.name), values);
	}

	whole() {
		return this.head && { ...this.head, is_full: true, services: [...this.services.values()],
			servers: [...this.servers.values()] };
	}
}
