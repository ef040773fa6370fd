"""What a script does with py-substrate-interface:

    python substrate_interface_client.py URL SURI

Registers as a contributor with 100 GTG, and tells what the chain says of it. The last line of its output is JSON; amounts are in
planck, as text.
"""

import json
import sys

from substrateinterface import Keypair, SubstrateInterface

# This client knows metadata up to version 14, which has no runtime APIs, so it is told about those that it should call.
RUNTIME_APIS = {
    "types": {
        "StakeView": {
            "type": "struct",
            "type_mapping": [
                ["roles", "(bool, bool)"],
                ["stake", "u128"],
                ["active", "bool"],
                ["unbonding", "Option<(u128, u32)>"],
                ["seats_held", "u32"],
            ],
        },
    },
    "runtime_api": {
        "ContributionApi": {
            "methods": {
                "stake": {
                    "description": "The registration of an account",
                    "params": [{"name": "who", "type": "[u8; 32]"}],
                    "type": "Option<StakeView>",
                },
            },
        },
    },
}


def main(url: str, suri: str) -> dict:
    with SubstrateInterface(url=url, type_registry=RUNTIME_APIS) as chain:
        account = Keypair.create_from_uri(suri)
        roles = {"contributor": True, "attester": False}
        call = chain.compose_call("Contribution", "register", {"roles": roles, "stake": 100 * 10**12})
        extrinsic = chain.create_signed_extrinsic(call, account)
        receipt = chain.submit_extrinsic(extrinsic, wait_for_inclusion=True)
        if not receipt.is_success:
            raise RuntimeError(f"register failed: {receipt.error_message}")
        registration = chain.query("Contribution", "Registrations", [account.ss58_address]).value
        stake = chain.runtime_call("ContributionApi", "stake", ["0x" + account.public_key.hex()]).value
        task = chain.query("Contribution", "Tasks", [0]).value
        return {
            "stake": str(stake["stake"]),
            "stored_stake": str(registration["stake"]),
            "stored_name": task["terms"]["name"],
            "block_millis": chain.get_constant("Babe", "ExpectedBlockTime").value,
            "move_blocks": chain.get_constant("Referee", "MoveBlocks").value,
        }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
