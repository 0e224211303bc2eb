// SPDX-License-Identifier: Apache-2.0
// What comes in front of the page: a question, the token, the keys; and the bar that offers a way back.
import { useEffect, useRef, useState } from 'preact/hooks';
import { dismiss, giveToken, undo } from '../store.js';

function Dialog({ title, onCancel, children }) {
	const ref = useRef(null);
	useEffect(() => {
		ref.current.showModal();
	}, []);
	return <dialog ref={ref} aria-labelledby="dialog-title" onCancel={(event) => {
		event.preventDefault();
		onCancel?.();
	}}>
		<h2 id="dialog-title">{title}</h2>
		{children}
	</dialog>;
}

export function Confirm({ title, action, onConfirm, onCancel, children }) {
	return <Dialog title={title} onCancel={onCancel}>
		{children}
		<div class="actions"><button type="button" onClick={onCancel}>Cancel</button>
			<button type="button" class="strong" onClick={onConfirm}>{action}</button></div>
	</Dialog>;
}

export function TokenPrompt({ wasRefused }) {
	const [token, setToken] = useState('');
	return <Dialog title="This strait wants its token">
		<form onSubmit={(event) => {
			event.preventDefault();
			giveToken(token.trim());
		}}>
			<p>{wasRefused ? 'That was not the token. ' : ''}It stands in the file that <code>admin … token=file:PATH</code> names in the
				configuration. This browser keeps it until the tab is closed.</p>
			<label>Token <input type="password" autocomplete="off" required value={token}
				onInput={(event) => setToken(event.currentTarget.value)} /></label>
			<div class="actions"><button type="submit" class="strong">Use it</button></div>
		</form>
	</Dialog>;
}

export const keys = [['1 – 8', 'go to a section'], ['/', 'filter the section in sight'], ['t', 'light, dark or as the system'],
	['u', 'take the last change back'], ['r', 'connect again at once'], ['?', 'this list'], ['Esc', 'close']];

export function Help({ areKeysOn, onKeysOn, onCancel }) {
	return <Dialog title="Keys" onCancel={onCancel}>
		<dl class="help">{keys.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{text}</dd></div>)}</dl>
		<label class="check"><input type="checkbox" checked={areKeysOn}
			onChange={(event) => onKeysOn(event.currentTarget.checked)} /> single keys do something</label>
		<p class="quiet">Rates are means over the last 5 seconds. B and kB are bytes, powers of 1000. Times are of this machine's
			zone. In is what came from clients, out is what came from servers.</p>
		<div class="actions"><button type="button" class="strong" onClick={onCancel}>Close</button></div>
	</Dialog>;
}

export function Bar({ store }) {
	const { undo: offered, notice } = store;
	return <div class={offered || notice ? 'bar' : 'bar empty'} role="status">
		{offered && <><span>{offered.text}</span><button type="button" class="strong" onClick={undo}>Undo</button></>}
		{notice && <span class={notice.isBad ? 'bad-text' : undefined}>{notice.isBad && '✕ '}{notice.text}</span>}
		{(offered || notice) && <button type="button" aria-label="Dismiss" onClick={dismiss}>✕</button>}
	</div>;
}
