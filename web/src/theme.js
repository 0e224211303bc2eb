// SPDX-License-Identifier: Apache-2.0
// Runs before anything is painted, so that a dark page does not flash.
import { applyTheme, storedTheme } from './theme-choice.js';

applyTheme(storedTheme());
