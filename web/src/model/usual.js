// SPDX-License-Identifier: Apache-2.0
// What is usual, in words: "usual for Tuesday 14:00-15:00: 12/s ± 2; now 40/s". Pure.
import { byteRate, rate } from '../format.js';

export function usualInWords(usual) {
	if (!usual)
		return '';
	const format = usual.measure === 'bytes' ? byteRate : rate;
	if (!usual.basis || usual.samples === 0)
		return `not known yet what is usual; now ${format(usual.now)}`;
	const spread = (usual.measure === 'bytes' ? byteRate : rate)(usual.deviation).replace(/\/s$/, '');
	return `usual for ${usual.basis}: ${format(usual.usual)} ± ${spread}; now ${format(usual.now)}`;
}

export function findUsual(trends, service, measure) {
	return trends?.services.find(({ name }) => name === service)?.usual.find((usual) => usual.measure === measure);
}
