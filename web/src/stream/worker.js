// SPDX-License-Identifier: Apache-2.0
// The SharedWorker: one event stream for all tabs of this browser.
import { Hub } from './hub.js';

const hub = new Hub();

self.addEventListener('connect', ({ ports: [port] }) => {
	const listener = (message) => port.postMessage(message);
	port.onmessage = ({ data }) => {
		if (data.kind === 'hello')
			hub.join(listener);
		else if (data.kind === 'bye')
			hub.leave(listener);
		else if (data.kind === 'token')
			hub.setToken(data.token);
		else if (data.kind === 'again')
			hub.again();
	};
	/* Newer browsers tell of a tab that has crashed. */
	port.addEventListener('close', () => hub.leave(listener));
});
