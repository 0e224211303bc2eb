// SPDX-License-Identifier: Apache-2.0
// All that the page knows, in one object, and who wants to hear when it changes. The stream and a few questions that are
// asked again and again fill it; parts of the page only read it and call its verbs.
import { useEffect, useState } from 'preact/hooks';
import { ask, Problem, query, serverPath, setApiToken, setUnauthorizedHandler } from './api.js';
import { mergeEvents } from './model/history.js';
import { ReasonRates, droppedAsRefused } from './model/refusals.js';
import { add, fromTrend } from './model/series.js';
import { Ticks } from './model/ticks.js';
import { openStream } from './stream/client.js';

const tokenKey = 'strait-token';
const statusEveryMs = 3000;
const trendsEveryMs = 10000;
const servicesSummedMax = 12;
const servicesAskedMax = 50;
const undoMs = 30000;
const noticeMs = 8000;

export const store = {
	stream: { name: 'connecting', since: Date.now() },
	needsToken: false,
	wasTokenGiven: false,
	ticks: new Ticks(),
	status: null,
	statusProblem: null,
	events: [],          // newest last
	historyProblem: null,
	refusals: new ReasonRates(),
	drops: new ReasonRates(), // of packets
	service: null,       // the one whose numbers are looked at; null: all
	step: '1s',
	past: null,          // of it, at that step
	pastProblem: null,
	trends: { source: null, destination: null, window: '10m', only: null, problem: null }, // only: of many the one asked for
	undo: null,          // { text, change }
	notice: null,        // { text, isBad }
};

const listeners = new Set();
let isScheduled = false;

// Changes come in bursts; the page is drawn once for each, and not at all while nobody sees it.
export function changed() {
	if (isScheduled || document.hidden)
		return;
	isScheduled = true;
	setTimeout(() => {
		isScheduled = false;
		for (const listener of listeners)
			listener();
	}, 0);
}

export function useStore() {
	const [, setTurn] = useState(0);
	useEffect(() => {
		const listener = () => setTurn((turn) => turn + 1);
		listeners.add(listener);
		return () => listeners.delete(listener);
	}, []);
	return store;
}

/* --- the stream ------------------------------------------------------------------------------------------------- */

let stream;

function onMessage(message) {
	if (message.kind === 'tick')
		takeTick(message.tick);
	else if (message.kind === 'changes')
		takeChanges(message.changes);
	else if (message.kind === 'state')
		takeState(message.state);
	else if (message.kind === 'token')
		takeToken(message.token);
	changed();
}

function takeTick(tick) {
	const isOther = store.status === null || store.status.generation !== tick.generation;
	store.ticks.apply(tick);
	if ((tick.is_full && !store.stream.isAsked) || isOther)
		refreshStatus();
}

const statusEvents = /^(server_|reload|name_|limit_|service_anomaly|stopping)/;

function takeChanges(changes) {
	store.events = mergeEvents(store.events, changes);
	if (changes.some((change) => statusEvents.test(change.event)))
		refreshStatus();
}

function takeState(state) {
	const wasLive = store.stream.name === 'live';
	store.stream = state;
	if (state.name === 'unauthorized')
		store.needsToken = true;
	if (state.name === 'live' && !wasLive) {
		store.needsToken = false;
		loadHistory();
		loadPast();
		loadTrends();
	}
}

function takeToken(token) {
	setApiToken(token);
	try {
		sessionStorage.setItem(tokenKey, token);
	} catch {
		/* then it is asked for again after a reload */
	}
}

export function giveToken(token) {
	store.wasTokenGiven = true;
	takeToken(token);
	store.needsToken = false;
	stream.setToken(token);
	refreshStatus();
	changed();
}

export function connectNow() {
	stream.again();
}

/* --- questions that are asked again and again ------------------------------------------------------------------- */

let isAskingStatus = false;
let isStatusStale = false;

export async function refreshStatus() {
	isStatusStale = true;
	if (isAskingStatus)
		return;
	isAskingStatus = true;
	while (isStatusStale) {
		isStatusStale = false;
		try {
			const status = await ask('/v1/status');
			store.status = status;
			store.statusAt = Date.now();
			store.statusProblem = null;
			store.refusals.take(status, store.statusAt);
			store.drops.take(droppedAsRefused(status), store.statusAt);
		} catch (problem) {
			store.statusProblem = problem;
		}
	}
	isAskingStatus = false;
	changed();
}

async function loadHistory() {
	try {
		const history = await ask('/v1/history?limit=2000');
		store.events = mergeEvents([], history.events);
		store.historyProblem = null;
	} catch (problem) {
		store.historyProblem = problem;
	}
	changed();
}

let pastNumber = 0;

// What it was before the page was opened, of the service that is looked at, or of all.
export async function loadPast() {
	const number = ++pastNumber;
	const names = store.service ? [store.service] : [...store.ticks.services.keys()];
	if (names.length === 0)
		return;
	if (names.length > servicesSummedMax) {
		store.past = null;
		store.pastProblem = new Problem(0, `The past of all together is shown for ${servicesSummedMax} services at most: ` +
			'choose one.');
		changed();
		return;
	}
	try {
		const trends = await Promise.all(names.map((name) =>
			ask(query(`/v1/trends/${encodeURIComponent(name)}`, { step: store.step }))));
		if (number !== pastNumber)
			return;
		store.past = add(trends.map(fromTrend));
		store.pastProblem = null;
	} catch (problem) {
		if (number !== pastNumber)
			return;
		store.past = null;
		store.pastProblem = problem;
	}
	changed();
}

export async function loadTrends() {
	const { window } = store.trends;
	const only = store.service === null && store.ticks.services.size > servicesAskedMax ? store.ticks.busiest() : null;
	const service = store.service ?? only;
	try {
		const [source, destination] = await Promise.all(['source', 'destination'].map((by) =>
			ask(query('/v1/trends', { by, window, service, limit: 10 }))));
		if (window === store.trends.window)
			store.trends = { window, source, destination, only, problem: null };
	} catch (problem) {
		store.trends = { ...store.trends, problem };
	}
	changed();
}

/* --- choosing --------------------------------------------------------------------------------------------------- */

export function chooseService(name) {
	store.service = name;
	store.past = null;
	store.ticks.follow(name);
	loadPast();
	loadTrends();
	changed();
}

export function chooseStep(step) {
	store.step = step;
	store.past = null;
	loadPast();
	changed();
}

export function chooseWindow(window) {
	store.trends = { ...store.trends, window };
	loadTrends();
	changed();
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

let undoTimer;

// What went well goes away by itself; what did not stays until it is dismissed.
export function notify(text, isBad = false) {
	const notice = store.notice = { text, isBad };
	if (!isBad)
		setTimeout(() => store.notice === notice && dismiss(), noticeMs);
	changed();
}

export function dismiss() {
	store.undo = null;
	store.notice = null;
	clearTimeout(undoTimer);
	changed();
}

function offerUndo(text, change) {
	clearTimeout(undoTimer);
	store.notice = null;
	store.undo = { text, change };
	undoTimer = setTimeout(dismiss, undoMs);
	changed();
}

// change and back: bodies of PATCH. Says what was done, and offers the way back.
export async function changeServer(pool, server, change, back, text) {
	try {
		await ask(serverPath(pool, server), { method: 'PATCH', body: change });
		if (back)
			offerUndo(text, { pool, server, change: back, back: change });
		else
			notify(text);
	} catch (problem) {
		notify(`${server} in ${pool} was not changed: ${problem.message}`, true);
	}
	refreshStatus();
}

export function undo() {
	if (!store.undo)
		return;
	const { pool, server, change } = store.undo.change;
	dismiss();
	changeServer(pool, server, change, null, `Taken back: ${server} in ${pool} is as before.`);
}

export async function closeFlow(id) {
	try {
		await ask(`/v1/flows/${encodeURIComponent(id)}`, { method: 'DELETE' });
		notify(`Flow ${id} is closed.`);
	} catch (problem) {
		notify(`Flow ${id} was not closed: ${problem.message}`, true);
	}
}

/* --- start ------------------------------------------------------------------------------------------------------- */

function every(ms, work) {
	setInterval(() => {
		if (!document.hidden && !store.needsToken)
			work();
	}, ms);
}

export function start() {
	let token = '';
	try {
		token = sessionStorage.getItem(tokenKey) ?? '';
	} catch {
		/* asked for when it is needed */
	}
	setUnauthorizedHandler(() => {
		store.needsToken = true;
		changed();
	});
	setApiToken(token);
	stream = openStream(onMessage);
	if (token)
		stream.setToken(token);
	every(statusEveryMs, () => store.stream.name === 'live' && refreshStatus());
	every(trendsEveryMs, () => store.stream.name === 'live' && loadTrends());
	every(trendsEveryMs, () => store.stream.isAsked && loadHistory());
	every(60000, () => store.step !== '1s' && loadPast());
	addEventListener('visibilitychange', changed);
	every(1000, changed); /* ages go on while nothing comes */
}
