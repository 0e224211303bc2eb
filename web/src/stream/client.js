// SPDX-License-Identifier: Apache-2.0
// A tab's end of the event stream: over the SharedWorker, or with a hub of its own where there is none.
import { Hub } from './hub.js';

function overWorker(address, listener, onFailure) {
	const worker = new SharedWorker(address, { type: 'module', name: 'strait' });
	const { port } = worker;
	worker.onerror = onFailure;
	port.onmessage = ({ data }) => listener(data);
	const send = (message) => port.postMessage(message);
	/* A page that goes to the browser's cache takes no messages; one that comes back wants all again. */
	addEventListener('pagehide', () => send({ kind: 'bye' }));
	addEventListener('pageshow', ({ persisted }) => persisted && send({ kind: 'hello' }));
	send({ kind: 'hello' });
	return { setToken: (token) => send({ kind: 'token', token }), again: () => send({ kind: 'again' }) };
}

function alone(listener) {
	const hub = new Hub();
	hub.join(listener);
	return { setToken: (token) => hub.setToken(token), again: () => hub.again() };
}

export function openStream(listener) {
	const address = document.querySelector('meta[name=stream-worker]').content;
	let stream;
	const fallBack = () => { stream = alone(listener); };
	if (typeof SharedWorker === 'undefined')
		fallBack();
	else
		stream = overWorker(address, listener, fallBack);
	return { setToken: (token) => stream.setToken(token), again: () => stream.again() };
}
