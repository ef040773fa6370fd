// A light client in a page: smoldot, which trusts no node.
//
//   node light.mjs CHAIN_SPEC BOOT_NODE
//
// Follows the chain of a raw specification from its first block until two more are final, and asks the runtime of the last one
// for its version: the code and what it reads come with proofs. The last line of its output is JSON.

import fs from 'node:fs';
import { start } from 'smoldot';

const [file, bootNode] = process.argv.slice(2);
const chainSpec = JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), bootNodes: [bootNode] });
const complaints = [];
const client = start({
  maxLogLevel: 2,
  logCallback(level, target, message) {
    console.error(target, message);
    if (message.includes('deprecated')) complaints.push(message);
  },
});
const chain = await client.addChain({ chainSpec });

let requests = 0;
function send(method, ...params) {
  chain.sendJsonRpc(JSON.stringify({ jsonrpc: '2.0', id: ++requests, method, params }));
  return requests;
}

const following = send('chainHead_v1_follow', true);
let follow, asked;
const final = [];
for await (const response of chain.jsonRpcResponses) {
  const { id, result, error, params } = JSON.parse(response);
  if (error) throw new Error(error.message);
  if (id === following) follow = result;
  const event = params?.result;
  if (event?.event === 'stop') throw new Error('the light client lost the chain');
  if (event?.event === 'finalized') final.push(...event.finalizedBlockHashes);
  if (final.length >= 2 && !asked) asked = send('chainHead_v1_call', follow, final.at(-1), 'Core_version', '0x');
  if (event?.event === 'operationError') throw new Error(event.error);
  if (event?.event === 'operationCallDone') {
    // A SCALE string, its length first.
    const bytes = Buffer.from(event.output.slice(2), 'hex');
    const spec_name = bytes.subarray(1, 1 + (bytes[0] >> 2)).toString();
    console.log(JSON.stringify({ final, spec_name, complaints }));
    break;
  }
}
await client.terminate();
process.exit(0);
