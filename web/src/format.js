// SPDX-License-Identifier: Apache-2.0
// Numbers, times and names as people read them. Pure.

const units = ['', 'k', 'M', 'G', 'T', 'P'];

// 0, 0.4, 9.5, 12, 999, 12.4k: three digits at most, so that columns can be compared at a glance.
function threeDigits(value) {
	if (value === 0)
		return '0';
	if (value < 9.95)
		return value.toFixed(value < 0.0995 ? 2 : 1).replace(/\.?0+$/, '') || '0';
	if (value < 99.5)
		return value.toFixed(1).replace(/\.0$/, '');
	return value.toFixed(0);
}

function scaled(value) {
	let step = 0;
	while (value >= 999.5 && step < units.length - 1) {
		value /= 1000;
		step++;
	}
	return [threeDigits(value), units[step]];
}

export function short(value) {
	if (!Number.isFinite(value))
		return '–';
	const [number, unit] = scaled(Math.max(0, value));
	return number + unit;
}

export function rate(value) {
	return Number.isFinite(value) ? `${short(value)}/s` : '–';
}

export function bytes(value) {
	if (!Number.isFinite(value))
		return '–';
	const [number, unit] = scaled(Math.max(0, value));
	return `${number}\u00a0${unit}B`;
}

export function byteRate(value) {
	return Number.isFinite(value) ? `${bytes(value)}/s` : '–';
}

// Whole, with narrow blanks between thousands.
export function count(value) {
	if (!Number.isFinite(value))
		return '–';
	return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export function percent(share) {
	return Number.isFinite(share) ? `${threeDigits(share * 100)}\u00a0%` : '–';
}

// 850 ms, 4 s, 3 min 5 s, 2 h 7 min, 3 d 4 h.
export function duration(ms) {
	if (!Number.isFinite(ms))
		return '–';
	if (ms < 1000)
		return `${Math.max(0, Math.round(ms))} ms`;
	const seconds = Math.floor(ms / 1000);
	const parts = [[Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'],
		[Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']];
	const first = parts.findIndex(([number]) => number > 0);
	return parts.slice(first, first + 2).filter(([number]) => number > 0)
		.map(([number, unit]) => `${number} ${unit}`).join(' ');
}

// Time that a check or a connect took.
export function microseconds(us) {
	return us < 1000 ? `${us} µs` : duration(us / 1000);
}

const two = (number) => String(number).padStart(2, '0');

// Local time: 14:03:07, with the day when it is not today.
export function clock(ms, now = Date.now()) {
	const at = new Date(ms);
	const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
	if (at.toDateString() === new Date(now).toDateString())
		return time;
	return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

export function plural(number, one, many = `${one}s`) {
	return `${count(number)} ${number === 1 ? one : many}`;
}

// a, b and c; or a, b and 12 more.
export function list(words, most = 4) {
	if (words.length > most)
		return `${words.slice(0, most - 1).join(', ')} and ${words.length - most + 1} more`;
	return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`;
}

// Characters that steer text instead of being it (controls, directions, nothing-wide) are shown as what they are.
const steering = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function visible(text) {
	return String(text ?? '').replace(steering,
		(character) => `‹${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);
}

// Cut in the middle: what tells long names apart stands at their ends.
export function cut(text, most) {
	const characters = [...text];
	if (characters.length <= most)
		return text;
	const tail = Math.floor((most - 1) / 2);
	return characters.slice(0, most - 1 - tail).join('') + '…' + characters.slice(characters.length - tail).join('');
}
