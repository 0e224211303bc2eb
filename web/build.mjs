// SPDX-License-Identifier: Apache-2.0
// node build.mjs DIRECTORY: bundles the page into DIRECTORY and prints the files that it was made of, one a line.
// Names of what is bundled hold a hash, so browsers may keep it; index.html refers to them.
import { build } from 'esbuild';
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const web = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(web, 'src');
const header = (...names) => path.join(web, '..', ...names);

// Vocabularies have one home: lists X(NAME, "word", ..., "meaning") in headers. Here they are modules: { word: meaning }.
const vocabularies = {
	reasons: { file: header('src', 'base', 'reason.h'), row: /X\([A-Z_]+,\s*"(\w+)",\s*(?:true|false),\s*"([^"]+)"\)/g },
	'packet-classes': { file: header('bpf', 'abi.h'), row: /X\([A-Z0-9_]+,\s*"(\w+)",\s*"([^"]+)"\)/g },
};

const headers = {
	name: 'headers',
	setup(builder) {
		builder.onResolve({ filter: /^(reasons|packet-classes)$/ }, ({ path: name }) =>
			({ path: vocabularies[name].file, namespace: name }));
		builder.onLoad({ filter: /.*/, namespace: 'reasons' }, () => load(vocabularies.reasons));
		builder.onLoad({ filter: /.*/, namespace: 'packet-classes' }, () => load(vocabularies['packet-classes']));
	},
};

async function load({ file, row }) {
	const text = (await readFile(file, 'utf8')).replace(/\\\n/g, ' ');
	const table = Object.fromEntries([...text.matchAll(row)].map(([, word, meaning]) => [word, meaning]));
	return { contents: JSON.stringify(table), loader: 'json', watchFiles: [file] };
}

const options = {
	bundle: true,
	minify: true,
	format: 'esm',
	target: ['es2022'],
	legalComments: 'none',
	jsx: 'automatic',
	jsxImportSource: 'preact',
	metafile: true,
	plugins: [headers],
	entryNames: '[name]-[hash]',
	absWorkingDir: web,
};

async function bundle(directory, entries, more = {}) {
	const result = await build({ ...options, ...more, outdir: directory,
		entryPoints: entries.map((entry) => path.join(source, entry)) });
	return { result, names: Object.fromEntries(Object.entries(result.metafile.outputs)
		.filter(([, output]) => output.entryPoint)
		.map(([name, output]) => [path.basename(output.entryPoint), path.basename(name)])) };
}

function inputsOf(result) {
	return Object.keys(result.metafile.inputs)
		.map((name) => name.replace(/^(reasons|packet-classes):/, ''))
		.map((name) => path.resolve(web, name));
}

// What is in the bundle that is not ours asks for its licence to go with it.
async function licences() {
	const texts = await Promise.all(['preact', 'uplot'].map(async (name) =>
		`${name}: ${await readFile(path.join(web, 'node_modules', name, 'LICENSE'), 'utf8')}`));
	return `/*! ${texts.join('\n').replaceAll('*/', '')}*/`;
}

const directory = path.resolve(process.argv[2] ?? 'build');
await mkdir(directory, { recursive: true });
const made = await bundle(directory, ['main.jsx', 'stream/worker.js', 'style.css'], { banner: { js: await licences() } });
const early = await bundle(directory, ['theme.js'], { format: 'iife' });
const names = { ...made.names, ...early.names };
const html = await readFile(path.join(source, 'index.html'), 'utf8');
const filled = html.replace(/\{\{([\w.]+)\}\}/g, (_, name) => {
	if (!names[name])
		throw new Error(`index.html wants ${name}, which is not made`);
	return `/assets/${names[name]}`;
});
await writeFile(path.join(directory, 'index.html'), filled);
const inputs = new Set([...inputsOf(made.result), ...inputsOf(early.result), path.join(source, 'index.html')]);
process.stdout.write([...inputs].sort().join('\n') + '\n');
