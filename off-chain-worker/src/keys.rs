//! Who signs: an sr25519 key from a keystore file, a seed file or a well-known development name.
//! A secret is read from a file or a prompt, never from the command line.

use crate::chain::{Account, Keypair};
use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};
use subxt::utils::AccountId32;
use subxt_signer::{polkadot_js_compat, sr25519, SecretUri};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No option names a key.
    #[error("no identity: give --dev NAME, --seed-file FILE or --keystore FILE")]
    None,
    /// More than one option names a key.
    #[error("more than one identity: give one of --dev, --seed-file and --keystore")]
    Several,
    /// A file cannot be read, or the password cannot be asked for.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A seed file holds something else.
    #[error("{} contains neither a 32-byte hex seed nor a mnemonic phrase", .0.display())]
    Seed(PathBuf),
    #[error(
        "cannot unlock {}: the password is wrong, or it is not an sr25519 keystore ({source})",
        path.display()
    )]
    /// A keystore cannot be unlocked.
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: polkadot_js_compat::Error,
    },
    /// Text that should name an account does not.
    #[error("`{0}` is no account: give an SS58 address, 0x and 64 hex digits, or a development name such as Bob")]
    Account(String),
}

/// Where the key of the signing account comes from.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Identity {
    /// A development account, such as Alice or Contributor1. Everybody knows its key
    #[arg(long, global = true, value_name = "NAME")]
    pub dev: Option<String>,
    /// A file with a hex seed or a mnemonic phrase, optionally followed by //derivations
    #[arg(long, global = true, value_name = "FILE")]
    pub seed_file: Option<PathBuf>,
    /// A keystore file as exported by polkadot-js; asks for its password
    #[arg(long, global = true, value_name = "FILE")]
    pub keystore: Option<PathBuf>,
    /// A file with the keystore's password, instead of asking for it
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl Identity {
    /// Whether an identity was given.
    pub fn is_given(&self) -> bool {
        self.dev.is_some() || self.seed_file.is_some() || self.keystore.is_some()
    }

    /// Reads the key; asks for the keystore's password unless a file holds it.
    pub fn keypair(&self) -> Result<Keypair, KeyError> {
        let files = [&self.seed_file, &self.keystore];
        let given = files.into_iter().flatten().count() + usize::from(self.dev.is_some());
        if given > 1 {
            return Err(KeyError::Several);
        }
        if let Some(name) = &self.dev {
            return development(name);
        }
        if let Some(path) = &self.seed_file {
            return from_uri(read(path)?.trim()).ok_or_else(|| KeyError::Seed(path.clone()));
        }
        let path = self.keystore.as_ref().ok_or(KeyError::None)?;
        let json = read(path)?;
        let password = match &self.password_file {
            Some(file) => read(file)?.trim_end_matches(['\r', '\n']).to_owned(),
            None => {
                let prompt = format!("Password of {}: ", path.display());
                rpassword::prompt_password(prompt).map_err(io_error(path))?
            }
        };
        polkadot_js_compat::decrypt_json(&json, &password).map_err(|source| KeyError::Keystore {
            path: path.clone(),
            source,
        })
    }
}

/// The key of a development account: the well-known phrase, derived by `//NAME`.
pub fn development(name: &str) -> Result<Keypair, KeyError> {
    // Anything of only letters and digits that starts with a letter cannot be an address, a seed or
    // a path.
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    plain
        .then(|| from_uri(&format!("//{name}")))
        .flatten()
        .ok_or_else(|| KeyError::Account(name.to_owned()))
}

/// Reads an account as people write it: SS58, hex, or a development name.
pub fn account(text: &str) -> Result<Account, KeyError> {
    let from_hex = || {
        let mut account = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x")?, &mut account).ok()?;
        Some(account)
    };
    AccountId32::from_str(text)
        .ok()
        .map(|account| account.0)
        .or_else(from_hex)
        .map_or_else(|| Ok(development(text)?.public_key().0), Ok)
}

/// An account as SS58.
pub fn address(account: &Account) -> String {
    AccountId32(*account).to_string()
}

/// A bare hex seed may lack its `0x`.
fn from_uri(text: &str) -> Option<Keypair> {
    let bare_seed = text.len() == 64 && text.chars().all(|digit| digit.is_ascii_hexdigit());
    let text = if bare_seed {
        format!("0x{text}")
    } else {
        text.to_owned()
    };
    sr25519::Keypair::from_uri(&SecretUri::from_str(&text).ok()?).ok()
}

fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyError + '_ {
    move |source| KeyError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn accounts_are_read_as_people_write_them() {
        let alice = account("Alice").unwrap();
        assert_eq!(address(&alice), ALICE);
        assert_eq!(account(ALICE).unwrap(), alice);
        assert_eq!(
            account(&format!("0x{}", hex::encode(alice))).unwrap(),
            alice
        );
        for wrong in ["", "0x12", "//Alice", "Alice//stash", &ALICE[..47]] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seed_files_hold_seeds_or_phrases() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        let identity = Identity {
            seed_file: Some(path.clone()),
            ..Identity::default()
        };
        let seed = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
        fs::write(&path, format!("{seed}\n")).unwrap();
        let bare = identity.keypair().unwrap().public_key().0;
        fs::write(&path, format!("0x{seed}")).unwrap();
        assert_eq!(identity.keypair().unwrap().public_key().0, bare);
        fs::write(
            &path,
            "bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice",
        )
        .unwrap();
        assert_eq!(address(&identity.keypair().unwrap().public_key().0), ALICE);
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(identity.keypair(), Err(KeyError::Seed(_))));
        assert!(matches!(Identity::default().keypair(), Err(KeyError::None)));
    }
}
