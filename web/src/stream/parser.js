// SPDX-License-Identifier: Apache-2.0
// Server-sent events from pieces of text (HTML standard, section 9.2.6), as far as strait sends them. Pure.
export class EventParser {
	constructor(onMessage) {
		this.onMessage = onMessage;
		this.rest = '';
		this.clear();
	}

	clear() {
		this.event = 'message';
		this.id = null;
		this.data = [];
	}

	push(text) {
		const lines = (this.rest + text).split('\n');
		this.rest = lines.pop();
		for (const line of lines)
			this.take(line.endsWith('\r') ? line.slice(0, -1) : line);
	}

	take(line) {
		if (line === '') {
			if (this.data.length > 0)
				this.onMessage({ event: this.event, id: this.id, data: this.data.join('\n') });
			this.clear();
			return;
		}
		const colon = line.indexOf(':');
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
		if (field === 'event')
			this.event = value;
		else if (field === 'id')
			this.id = value;
		else if (field === 'data')
			this.data.push(value);
	}
}
