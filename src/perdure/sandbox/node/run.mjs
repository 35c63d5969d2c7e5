// Runs one job of JavaScript or TypeScript inside a sandbox. The job is a line of JSON on descriptor 3, what came
// of it a line of JSON on descriptor 4: {"value": …} or {"error": "…"}.
import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const REQUEST = 3;
const RESULT = 4;
const FOUND = Symbol('function');
const MAX_ERROR = 2000;
const MAX_DEPTH = 200;
const NEWLINE = 10;

let told = false;

/** The job: the first line of its descriptor; what follows are files, already in their places. */
function readJob() {
  const pieces = [];
  const piece = Buffer.alloc(1 << 16);
  for (;;) {
    const count = fs.readSync(REQUEST, piece);
    const end = piece.subarray(0, count).indexOf(NEWLINE);
    pieces.push(Buffer.from(piece.subarray(0, end < 0 ? count : end)));
    if (end >= 0 || count === 0) return JSON.parse(Buffer.concat(pieces).toString());
  }
}

/** Say what came of the job, once. */
function tell(outcome) {
  if (told) return;
  told = true;
  let rest = Buffer.from(`${JSON.stringify(outcome)}\n`);
  while (rest.length) rest = rest.subarray(fs.writeSync(RESULT, rest));
}

/** A value made of nothing but what JSON has; the rest as text. */
function plain(value, depth = 0) {
  if (depth > MAX_DEPTH) throw new RangeError(`the value is nested more than ${MAX_DEPTH} deep, or contains itself`);
  switch (typeof value) {
    case 'undefined': return null;
    case 'number': return Number.isFinite(value) ? value : String(value);
    case 'bigint': return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'function':
    case 'symbol': return String(value);
    case 'string': return value.toWellFormed();
    case 'boolean': return value;
  }
  if (value === null) return null;
  const below = (item) => plain(item, depth + 1);
  if (typeof value.toJSON === 'function') return below(value.toJSON());
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map) return object([...value], below);
  if (value instanceof Set) return [...value].map(below);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return Array.from(value, below);
  if (ArrayBuffer.isView(value)) return Symbol.iterator in value ? Array.from(value, below) : String(value);
  if (value instanceof Promise || value instanceof RegExp) return String(value);
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return below(value.valueOf());
  return object(Object.entries(value).filter(([, item]) => item !== undefined), below);
}

function object(entries, below) {
  const made = Object.create(null);
  for (const [name, item] of entries) made[String(name).toWellFormed()] = below(item);
  return made;
}

/** What was thrown: a line for a reader, and the job's own lines of the stack on standard error. */
function fail(error, job) {
  let line = 'Error';
  const renamed = (text) => text.replaceAll(job.url, job.shown).replaceAll(job.file, job.shown);
  try {
    let why = '';
    for (let cause = error?.cause; cause instanceof Error && why.length < MAX_ERROR; cause = cause.cause) why += `: ${cause.message}`;
    const words = renamed(error instanceof Error ? `${error.name}: ${error.message}${why}` : `Error: ${String(error)}`);
    line = words.split('\n').join(' ').toWellFormed().slice(0, MAX_ERROR);
    const frames = String(error?.stack ?? '').split('\n').filter((frame) => frame.includes(job.file));
    process.stderr.write([words, ...frames.map(renamed), ''].join('\n'));
  } catch {
    // its own message failed
  }
  tell({ error: line });
}

/** TypeScript without its types; enums and the like become code where this Node.js can do that. */
function asJavaScript(source, language) {
  if (language !== 'typescript') return source;
  try {
    return module.stripTypeScriptTypes(source, { mode: 'transform' });
  } catch (error) {
    if (error.code !== 'ERR_INVALID_ARG_VALUE') throw error;
    return module.stripTypeScriptTypes(source);
  }
}

/** The function of a module, exported or not. */
async function load(job) {
  const name = job.function;
  const isName = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
  const key = `globalThis[Symbol.for(${JSON.stringify(job.key)})]`;
  const suffix = isName ? `\n;${key} = typeof ${name} === 'undefined' ? undefined : ${name};` : '';
  fs.writeFileSync(job.file, job.code + suffix);
  try {
    const exported = await import(job.url);
    const candidates = [globalThis[Symbol.for(job.key)], exported[name], globalThis.module.exports?.[name], exported.default];
    const found = candidates.find((one) => typeof one === 'function');
    if (!found) throw new ReferenceError(`the source has no function '${name}'`);
    return found;
  } finally {
    fs.rmSync(job.file, { force: true });
  }
}

/** The names of a function's parameters as they are written; null for one that is taken apart. */
function parameters(called) {
  const text = Function.prototype.toString.call(called).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
  const bare = /^\s*(?:async\s+)?([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u.exec(text);
  if (bare) return [bare[1]];
  const names = [];
  let depth = 0;
  let start = text.indexOf('(') + 1;
  for (let place = start; place < text.length; place += 1) {
    const letter = text[place];
    if (depth === 0 && (letter === ',' || letter === ')')) {
      names.push(text.slice(start, place).split('=')[0].trim());
      start = place + 1;
      if (letter === ')') break;
    } else if ('([{'.includes(letter)) depth += 1;
    else if (')]}'.includes(letter)) depth -= 1;
    else if ('\'"`'.includes(letter)) {
      for (place += 1; place < text.length && text[place] !== letter; place += 1) if (text[place] === '\\') place += 1;
    }
  }
  return names.filter(Boolean).map((name) => (/^[{[]/.test(name) ? null : name));
}

/** Call it as it is written: with values by name, or with the object of all for one parameter of another name. */
function call(called, given) {
  const names = parameters(called);
  const known = Object.keys(given);
  if (names[0] === null) return called(given);
  const rest = names.at(-1)?.startsWith('...');
  if (!rest && known.every((name) => names.includes(name))) return called(...names.map((name) => given[name]));
  return names.length === 1 && !rest ? called(given) : called(...Object.values(given));
}

/** A script's code before its last expression, and that expression, if it ends with one. */
function split(code) {
  const body = code.replace(/[\s;]+$/, '');
  for (let place = body.length; place >= 0; place -= 1) {
    if (place && body[place - 1] !== '\n' && body[place - 1] !== ';') continue;
    const [head, last] = [body.slice(0, place), body.slice(place)];
    if (last.trim() && parses(`return (${last}\n)`) && parses(head)) return [head, last];
  }
  return [body, null];
}

function parses(code) {
  try {
    return Boolean(new vm.Script(`(async () => {${code}\n})`));
  } catch {
    return false;
  }
}

/** Imports at the beginning of lines, as a script can make them. */
function withDynamicImports(code) {
  const words = /^([ \t]*)import\s+(?:([^'"();]+?)\s+from\s+)?(['"][^'"\n]+['"])[ \t]*;?/gm;
  return code.replace(words, (_, space, names, from) => {
    const got = `await import(${from})`;
    if (!names) return `${space}${got};`;
    const [, usual, , whole, some] = /^(?:([\w$]+))?(\s*,\s*)?(?:\*\s+as\s+([\w$]+)|\{([^}]*)\})?$/s.exec(names.trim()) ?? [];
    const parts = [usual && `default: ${usual}`, some?.replace(/([\w$]+)\s+as\s+([\w$]+)/g, '$1: $2')].filter(Boolean);
    if (whole) return `${space}const ${whole} = ${got};${usual ? ` const {default: ${usual}} = ${whole};` : ''}`;
    return `${space}const {${parts.join(', ')}} = ${got};`;
  });
}

/** The value of a script: that of its last expression. */
async function runScript(job) {
  const [head, last] = split(withDynamicImports(job.code).replace(/^([ \t]*)export\s+(?=\w)(?!default)/gm, '$1'));
  const code = last === null ? head : `${head}return (${last}\n)`;
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const script = new vm.Script(`(async () => {${code}\n})()`, { filename: job.file, importModuleDynamically });
  return script.runInThisContext();
}

/** What ES modules lack and programs still use; packages are found from the working folder. */
function prepare(job) {
  const folder = process.cwd();
  const packages = process.env.PERDURE_NODE_PACKAGES;
  delete process.env.PERDURE_NODE_PACKAGES;
  if (packages) fs.symlinkSync(packages, path.join(folder, 'node_modules'));
  job.key = `perdure ${Math.random()}`;
  job.shown = job.function ?? 'script';
  job.file = path.join(folder, '.perdure-job.mjs');
  job.url = pathToFileURL(job.file).href;
  globalThis.require = module.createRequire(job.file);
  globalThis.module = { exports: {} };
  globalThis.exports = globalThis.module.exports;
}

async function main() {
  const job = readJob();
  prepare(job);
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => {
      fail(error, job);
      process.exit(1);
    });
  }
  let outcome = { value: null };
  process.on('exit', (code) => code === 0 && tell(outcome));
  try {
    if (job.prelude) vm.runInThisContext(asJavaScript(job.prelude, job.language), { filename: 'prelude' });
    job.code = asJavaScript(job.source, job.language);
    const value = job.function ? await call(await load(job), job.arguments) : await runScript(job);
    const said = JSON.stringify(plain(value));
    if (said.length > job.output_bytes) {
      throw new RangeError(`the result has ${said.length} bytes, more than ${job.output_bytes}`);
    }
    outcome = { value: JSON.parse(said) };
    if (job.function) process.exit(0);
  } catch (error) {
    fail(error, job);
    process.exit(1);
  }
}

await main();
