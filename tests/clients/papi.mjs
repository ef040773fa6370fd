// What a page does with PAPI, polkadot-api, by the code that it generates from the chain:
//
//   papi add gotong -w URL && papi generate && node papi.mjs URL SURI
//
// Registers as a contributor with 100 GTG, and tells what the chain says of it, by runtime APIs and by view functions. The last
// line of its output is JSON; amounts are in planck, as text.

import { DEV_MINI_SECRET } from '@polkadot-labs/hdkd-helpers';
import { sr25519CreateDerive } from '@polkadot-labs/hdkd';
import { AccountId, createClient } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';
import { gotong } from './.papi/descriptors/dist/index.js';

const [url, suri] = process.argv.slice(2);
const pair = sr25519CreateDerive(DEV_MINI_SECRET)(suri);
const signer = getPolkadotSigner(pair.publicKey, 'Sr25519', pair.sign);
const address = AccountId().dec(pair.publicKey);
const client = createClient(getWsProvider(url));
const api = client.getTypedApi(gotong);

const roles = { contributor: true, attester: false };
const registered = await api.tx.Contribution.register({ roles, stake: 100n * 10n ** 12n }).signAndSubmit(signer);
if (!registered.ok) throw new Error(`register failed: ${JSON.stringify(registered.dispatchError)}`);

const at = { at: 'best' };
const stake = await api.apis.ContributionApi.stake(address, at);
const viewed = await api.view.Contribution.stake(address, at);
const task = await api.apis.ContributionApi.task(0, at);
const round = await api.apis.ContributionApi.round(0, task.round, at);
const duties = await api.apis.ContributionApi.duties(address, 0, at);
const stored = await api.query.Contribution.Tasks.getValue(0, at);
console.log(
  JSON.stringify({
    stake: stake.stake.toString(),
    viewed_stake: viewed.stake.toString(),
    name: task.terms.name,
    stored_name: stored.terms.name,
    phase: round.phase.type,
    duties: duties.items.map((duty) => duty.what.type),
    block_millis: Number(await api.constants.Babe.ExpectedBlockTime()),
    move_blocks: await api.constants.Referee.MoveBlocks(),
  }),
);
client.destroy();
