// SPDX-License-Identifier: Apache-2.0
// Asking the admin API: with the token, and with its problem documents as errors.

export class Problem extends Error {
	constructor(status, detail) {
		super(detail);
		this.status = status;
	}
}

let token = '';
let onUnauthorized = () => {};

export function setApiToken(value) {
	token = value;
}

export function setUnauthorizedHandler(handler) {
	onUnauthorized = handler;
}

async function readProblem(answer) {
	try {
		const problem = await answer.json();
		const errors = (problem.errors ?? []).map((error) => error.message);
		return [problem.detail ?? problem.title, ...errors].join(': ');
	} catch {
		return `strait answered ${answer.status}`;
	}
}

export async function ask(path, { method = 'GET', body, signal } = {}) {
	const headers = { Accept: 'application/json' };
	if (token)
		headers.Authorization = `Bearer ${token}`;
	if (body !== undefined)
		headers['Content-Type'] = 'application/json';
	let answer;
	try {
		answer = await fetch(path, { method, headers, signal, cache: 'no-store',
			body: body === undefined ? undefined : JSON.stringify(body) });
	} catch (error) {
		throw new Problem(0, signal?.aborted ? 'given up' : 'strait does not answer');
	}
	if (answer.status === 401)
		onUnauthorized();
	if (!answer.ok)
		throw new Problem(answer.status, await readProblem(answer));
	return answer.json();
}

export function query(path, parameters) {
	const given = Object.entries(parameters).filter(([, value]) => value !== '' && value !== null && value !== undefined);
	return given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path;
}

export function serverPath(pool, server) {
	return `/v1/pools/${encodeURIComponent(pool)}/servers/${encodeURIComponent(server)}`;
}
