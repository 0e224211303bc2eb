// SPDX-License-Identifier: Apache-2.0
// The page: its parts in the order of their questions, its keys, its theme.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Bar, Help, TokenPrompt } from './parts/dialogs.jsx';
import { Events } from './parts/events.jsx';
import { Exposed } from './parts/exposed.jsx';
import { Flow } from './parts/flow.jsx';
import { Flows } from './parts/flows.jsx';
import { Header, sections } from './parts/header.jsx';
import { TrafficMap } from './parts/map.jsx';
import { Refused } from './parts/refused.jsx';
import { Servers } from './parts/servers.jsx';
import { Talkers } from './parts/talkers.jsx';
import { connectNow, start, undo, useStore } from './store.js';
import { chooseTheme, storedTheme, themes } from './theme-choice.js';

const keysKey = 'strait-keys';

function goTo(id) {
	const section = document.getElementById(id);
	section.scrollIntoView();
	section.focus({ preventScroll: true });
}

// The filter of the topmost section that is in sight and has one.
function focusFilter() {
	const inputs = [...document.querySelectorAll('input[type=search]')];
	inputs.find((input) => input.closest('section').getBoundingClientRect().bottom > 100)?.focus();
}

function isTyping({ target, ctrlKey, metaKey, altKey }) {
	return ctrlKey || metaKey || altKey || target.closest('input, select, textarea, dialog') !== null;
}

function useKeys(areOn, { onHelp, onTheme }) {
	useEffect(() => {
		const onKey = (event) => {
			if (isTyping(event))
				return;
			const section = sections[Number(event.key) - 1];
			if (event.key === '?')
				onHelp();
			else if (!areOn)
				return;
			else if (section)
				goTo(section[0]);
			else if (event.key === '/')
				focusFilter();
			else if (event.key === 't')
				onTheme();
			else if (event.key === 'u')
				undo();
			else if (event.key === 'r')
				connectNow();
			else
				return;
			event.preventDefault();
		};
		addEventListener('keydown', onKey);
		return () => removeEventListener('keydown', onKey);
	});
}

// Charts are painted with colours of the theme, so they have to know when the system changes its mind.
function useTheme() {
	const [theme, setTheme] = useState(storedTheme());
	const [, setSystem] = useState('');
	const system = matchMedia('(prefers-color-scheme: dark)');
	useEffect(() => {
		const onChange = () => setSystem(system.matches ? 'dark' : 'light');
		system.addEventListener('change', onChange);
		return () => system.removeEventListener('change', onChange);
	}, []);
	const choose = (next) => {
		chooseTheme(next);
		setTheme(next);
	};
	return [theme, choose, theme === 'system' ? (system.matches ? 'dark' : 'light') : theme];
}

function useStoredFlag(key) {
	const read = () => {
		try {
			return localStorage.getItem(key) !== 'off';
		} catch {
			return true;
		}
	};
	const [isOn, setIsOn] = useState(read());
	return [isOn, (next) => {
		setIsOn(next);
		try {
			localStorage.setItem(key, next ? 'on' : 'off');
		} catch {
			/* kept for this page only */
		}
	}];
}

function Page() {
	const store = useStore();
	const [theme, setTheme, shownTheme] = useTheme();
	const [isHelpOpen, setIsHelpOpen] = useState(false);
	const [areKeysOn, setAreKeysOn] = useStoredFlag(keysKey);
	useKeys(areKeysOn, { onHelp: () => setIsHelpOpen(true),
		onTheme: () => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length]) });
	return <>
		<Header store={store} theme={theme} onTheme={setTheme} onHelp={() => setIsHelpOpen(true)} />
		<main>
			<Exposed store={store} />
			<Flow store={store} theme={shownTheme} />
			<TrafficMap store={store} />
			<Servers store={store} />
			<Talkers store={store} />
			<Refused store={store} />
			<Flows store={store} />
			<Events store={store} />
		</main>
		<Bar store={store} />
		{isHelpOpen && <Help areKeysOn={areKeysOn} onKeysOn={setAreKeysOn} onCancel={() => setIsHelpOpen(false)} />}
		{store.needsToken && <TokenPrompt wasRefused={store.wasTokenGiven} />}
	</>;
}

start();
render(<Page />, document.getElementById('page'));
