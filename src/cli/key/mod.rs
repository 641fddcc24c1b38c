//! `countersign key`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Usage, say};
use crate::signer::{FileSigner, KeyType, KeyUri, generate_in_token, read_public, write_public};
use crate::tuf::Key;

mod unlock;

pub(super) use unlock::open;

pub(super) const ABOUT: &str = "Makes keys, and shows their public halves. A key file is PKCS#8 PEM that its owner alone can read; --encrypt puts a \
passphrase on it, which is asked for on the terminal, or read from a file. The public half is written beside it as NAME.pub.json: that is \
what goes to whoever drafts root, targets or bins.

A key is named by the path of its file or by a URI: file:, pkcs11:, vault:, awskms: or command:. docs/signing.md has the forms.";

/// What `key` takes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  countersign key generate --out red.pem --encrypt
  countersign key generate --out red --pkcs11 'pkcs11:token=T;object=red?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:pin'
  countersign key show red.pem
  countersign key show 'command:/usr/local/bin/signer red' --out red.pub.json")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What becomes of keys.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Make a key, in a file or in a token
    Generate(Generate),
    /// Show the public half of a key
    Show(Show),
}

/// What `key generate` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Generate {
    /// The new key file, such as red.pem; with --pkcs11 what the public key file is called
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "ed25519")]
    pub kind: Kind,
    /// Encrypt the file with a passphrase
    #[arg(long, conflicts_with = "pkcs11")]
    pub encrypt: bool,
    /// Encrypt it with the passphrase in this file
    #[arg(long, value_name = "FILE", conflicts_with = "pkcs11")]
    pub passphrase_file: Option<PathBuf>,
    /// Make the pair in this token instead, where the private key stays
    #[arg(long, value_name = "URI")]
    pub pkcs11: Option<String>,
}

/// Kinds of keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// What every client takes
    Ed25519,
    /// For devices and services without Ed25519
    EcdsaP256,
}

impl From<Kind> for KeyType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ed25519 => Self::Ed25519,
            Kind::EcdsaP256 => Self::EcdsaP256,
        }
    }
}

/// What `key show` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Show {
    /// The key: a file, private or public, or a URI
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The file with the passphrase of an encrypted key file [default: ask]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Write JSON, for programs: one line a key
    #[arg(long)]
    pub json: bool,
    /// Write the public key into this file too
    #[arg(long, value_name = "PUB")]
    pub out: Option<PathBuf>,
}

/// Makes or shows keys.
///
/// # Errors
/// Where one cannot be made, opened or written.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Generate(args) => generate(&args).await,
        What::Show(args) => show(&args).await,
    }
}

async fn generate(args: &Generate) -> anyhow::Result<ExitCode> {
    let public = public_file(&args.out);
    // Before a key is made that nobody would have the other half of.
    for path in [Some(&public), args.pkcs11.is_none().then_some(&args.out)].into_iter().flatten() {
        if path.symlink_metadata().is_ok() {
            anyhow::bail!("{} is there already: no key was made", path.display());
        }
    }
    let key = match &args.pkcs11 {
        Some(uri) => {
            generate_in_token(&uri.parse::<KeyUri>()?, &unlock::here(), args.kind.into()).await?
        }
        None => in_file(args)?,
    };
    write_public(&key, &public)?;
    match &args.pkcs11 {
        Some(_) => say("made a key in the token"),
        None => say(&format!(
            "made a key in {}: keep it where only its holder can reach it",
            args.out.display()
        )),
    }
    say(&format!("public key: {}", public.display()));
    say(&format!("key id:     {}", key.id()));
    Ok(ExitCode::SUCCESS)
}

fn in_file(args: &Generate) -> anyhow::Result<Key> {
    let passphrase = match (&args.passphrase_file, args.encrypt) {
        (Some(file), _) => Some(unlock::passphrase_in(file)?),
        (None, true) => Some(unlock::new_passphrase(&args.out)?),
        (None, false) => None,
    };
    let made = FileSigner::generate_of(args.kind.into())?;
    made.save_with(&args.out, passphrase.as_deref().map(String::as_str))?;
    Ok(crate::signer::Signer::key(&made).clone())
}

/// `red.pub.json` beside `red.pem`.
fn public_file(out: &Path) -> PathBuf {
    let stem = match out.extension().is_some_and(|extension| extension == "pem") {
        true => out.with_extension(""),
        false => out.to_owned(),
    };
    let mut name = stem.into_os_string();
    name.push(".pub.json");
    name.into()
}

async fn show(args: &Show) -> anyhow::Result<ExitCode> {
    let keys = match read_public(Path::new(&args.key)) {
        Ok(key) => vec![key],
        Err(_) => {
            let signers = open(&args.key, args.passphrase_file.as_deref()).await?;
            signers.iter().map(|signer| signer.key().clone()).collect()
        }
    };
    if let Some(out) = &args.out {
        let [key] = keys.as_slice() else {
            let several = format!("{} has several keys, and --out takes one", args.key);
            return Err(Usage(several).into());
        };
        write_public(key, out)?;
    }
    for key in &keys {
        match args.json {
            true => say(&json!({
                "keyid": key.id(), "keytype": key.keytype, "keyval": key.keyval, "scheme": key.scheme,
            })
            .to_string()),
            false => say(&in_words(key)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(key: &Key) -> String {
    let public = key.keyval.get("public").and_then(|value| value.as_str()).unwrap_or_default();
    let public = public.trim_end().replace('\n', "\n            ");
    format!(
        "key id:     {}\ntype:       {}, {}\npublic key: {public}",
        key.id(),
        key.keytype,
        key.scheme
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_lies_beside() {
        for (out, public) in [
            ("red.pem", "red.pub.json"),
            ("keys/red", "keys/red.pub.json"),
            ("v1.2.pem", "v1.2.pub.json"),
            ("v1.2", "v1.2.pub.json"),
        ] {
            assert_eq!(public_file(Path::new(out)), PathBuf::from(public));
        }
    }
}
