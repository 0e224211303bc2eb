// SPDX-License-Identifier: Apache-2.0
// Why flows were refused and packets dropped: counts by reason from /v1/status, and how fast they grow. Pure.

import { list, visible } from '../format.js';

const windowMs = 15000;

export class ReasonRates {
	constructor() {
		this.samples = []; // { at, counts: Map("service\nreason" -> count) }
	}

	take(status, at) {
		const counts = new Map();
		for (const service of status.services)
			for (const [reason, count] of Object.entries(service.refused ?? {}))
				counts.set(`${service.name}\n${reason}`, count);
		const last = this.samples[this.samples.length - 1];
		if (last && [...counts].some(([key, count]) => count < (last.counts.get(key) ?? 0)))
			this.samples = [];
		this.samples.push({ at, counts });
		while (this.samples.length > 2 && this.samples[1].at <= at - windowMs)
			this.samples.shift();
	}

	// [{ reason, total, rate, services: [{ name, total, rate }] }], most first.
	table() {
		if (this.samples.length === 0)
			return [];
		const first = this.samples[0];
		const last = this.samples[this.samples.length - 1];
		const seconds = (last.at - first.at) / 1000;
		const reasons = new Map();
		for (const [key, total] of last.counts) {
			const [name, reason] = key.split('\n');
			const rate = seconds > 0 ? (total - (first.counts.get(key) ?? 0)) / seconds : 0;
			const row = reasons.get(reason) ?? { reason, total: 0, rate: 0, services: [] };
			row.total += total;
			row.rate += rate;
			row.services.push({ name, total, rate });
			reasons.set(reason, row);
		}
		const rows = [...reasons.values()].sort((a, b) => b.total - a.total);
		for (const row of rows)
			row.services.sort((a, b) => b.total - a.total);
		return rows;
	}
}

// What the packet guard dropped, in the form of a status with one service; an older strait has none.
export function droppedAsRefused(status) {
	return { services: [{ name: 'packets', refused: status.packet_guard?.dropped }] };
}

// Where packets are judged, or why they are not; and what is weaker then.
export function guardInWords(guard) {
	const places = list(guard.interfaces.map(({ name }) => visible(name)), 5);
	const why = guard.why ? ` (${visible(guard.why)})` : '';
	if (guard.state === 'off')
		return 'Packets are not judged before they reach the system: packet-guard is off.';
	if (guard.state === 'unavailable')
		return `Packets cannot be judged before they reach the system${why}. Malformed ones are left to the kernel's own ` +
			'checks; blocks are enforced when a connection is accepted or a first datagram has come.';
	return places ? `Packets are judged at ${places}${why}.` : 'No interface but the loopback is listened on: there is nothing to judge.';
}
