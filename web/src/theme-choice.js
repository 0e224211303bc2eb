// SPDX-License-Identifier: Apache-2.0
// Light, dark, or what the system says. The choice stays in this browser.
const key = 'strait-theme';
export const themes = ['system', 'light', 'dark'];

export function storedTheme() {
	try {
		const theme = localStorage.getItem(key);
		return themes.includes(theme) ? theme : 'system';
	} catch {
		return 'system';
	}
}

export function applyTheme(theme) {
	if (theme === 'system')
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = theme;
}

export function chooseTheme(theme) {
	applyTheme(theme);
	try {
		localStorage.setItem(key, theme);
	} catch {
		/* a browser that keeps nothing still shows it */
	}
}
