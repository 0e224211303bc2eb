// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, byteRate, clock, count, cut, duration, list, percent, plural, rate, short, visible } from '../src/format.js';

test('numbers have three digits at most', () => {
	const cases = { 0: '0', 0.004: '0', 0.04: '0.04', 0.25: '0.3', 1: '1', 9.94: '9.9', 9.96: '10', 12.34: '12.3', 99.9: '100',
		999.4: '999', 999.6: '1k', 1234: '1.2k', 123456: '123k', 999600: '1M', 5e9: '5G' };
	for (const [value, text] of Object.entries(cases))
		assert.equal(short(Number(value)), text, value);
	assert.equal(rate(12.3), '12.3/s');
	assert.equal(bytes(1500), '1.5\u00a0kB');
	assert.equal(byteRate(0), '0\u00a0B/s');
	assert.equal(rate(undefined), '–');
	assert.equal(short(-1), '0');
});

test('whole numbers are grouped', () => {
	assert.equal(count(1234567), '1\u202f234\u202f567');
	assert.equal(count(999), '999');
	assert.equal(percent(0.251), '25.1\u00a0%');
	assert.equal(plural(1, 'flow'), '1 flow');
	assert.equal(plural(2, 'address', 'addresses'), '2 addresses');
});

test('durations have two units at most', () => {
	const cases = [[0, '0 ms'], [850, '850 ms'], [4000, '4 s'], [185000, '3 min 5 s'], [7620000, '2 h 7 min'], [7200000, '2 h'],
		[86400000 * 3 + 3600000 * 4, '3 d 4 h'], [NaN, '–']];
	for (const [ms, text] of cases)
		assert.equal(duration(ms), text);
});

test('a day is told when it is not today', () => {
	const now = new Date(2026, 10, 24, 14, 3, 7).getTime();
	assert.equal(clock(now, now), '14:03:07');
	assert.equal(clock(now - 86400000, now), '2026-11-23 14:03:07');
});

test('lists end with a word', () => {
	assert.equal(list([]), '');
	assert.equal(list(['a']), 'a');
	assert.equal(list(['a', 'b', 'c']), 'a, b and c');
	assert.equal(list(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
});

test('characters that steer text are shown', () => {
	assert.equal(visible('a\u202eb'), 'a‹202E›b');
	assert.equal(visible('\u0000\n\u200b\u2066'), '‹0000›‹000A›‹200B›‹2066›');
	assert.equal(visible('<b>ü𝄞</b>'), '<b>ü𝄞</b>');
	assert.equal(visible(undefined), '');
});

test('long names keep both ends', () => {
	assert.equal(cut('abcdefghij', 10), 'abcdefghij');
	assert.equal(cut('abcdefghijk', 7), 'abc…ijk');
	assert.equal(cut('𝄞𝄞𝄞𝄞', 3), '𝄞…𝄞');
});
