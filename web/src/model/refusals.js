// SPDX-License-Identifier: Apache-2.0
// Why flows were refused: counts by reason and service from /v1/status, and how fast they grow. Pure.

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
