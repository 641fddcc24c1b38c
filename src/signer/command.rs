//! Keys behind a program of the operator's: `command:PROGRAM ARGS`. docs/signing.md has the protocol.

mod process;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{Backend, KeyUri, Opening, Signer, SignerError, checked};
use crate::tuf::Key;

/// How many processes of one key run at a time.
const AT_ONCE: usize = 4;

/// A key that a program signs with, one process a request.
pub struct CommandSigner {
    program: Program,
    key: Key,
    turns: Semaphore,
}

/// What is run, and for how long.
struct Program {
    uri: String,
    path: OsString,
    arguments: Vec<String>,
    folder: PathBuf,
    timeout: Duration,
}

impl Program {
    /// Words are what blanks separate; there is no quoting.
    fn of(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let mut words = uri.rest().split_whitespace().map(str::to_owned);
        let program = words.next().ok_or_else(|| uri.wrong("it has no program"))?;
        // What has no slash is looked for in PATH.
        let path = match program.contains('/') {
            true => std::path::absolute(how.base.join(&program)).map_or(program.into(), Into::into),
            false => program.into(),
        };
        Ok(Self {
            uri: uri.to_string(),
            path,
            arguments: words.collect(),
            folder: how.base.clone(),
            timeout: how.timeout,
        })
    }

    async fn ask(&self, what: &str, message: &[u8]) -> Result<String, SignerError> {
        let mut command = tokio::process::Command::new(&self.path);
        command.args(&self.arguments).arg(what);
        if self.folder != Path::new("") {
            command.current_dir(&self.folder);
        }
        let answer = process::run(command, message, self.timeout).await;
        answer.map_err(|failure| failure.of(&self.uri))
    }

    fn refused(&self, reason: impl Into<String>) -> SignerError {
        SignerError::Refused { uri: self.uri.clone(), reason: reason.into() }
    }
}

impl CommandSigner {
    /// Asks the program for its public key.
    ///
    /// # Errors
    /// [`SignerError`]: it cannot be run, fails, or prints no public key.
    pub async fn open(uri: &KeyUri, how: &Opening) -> Result<Self, SignerError> {
        let program = Program::of(uri, how)?;
        let text = program.ask("public", b"").await?;
        let key = Key::from_text(&text).map_err(|reason| {
            program.refused(format!("what it prints as its public key cannot be used: {reason}"))
        })?;
        Ok(Self { program, key, turns: Semaphore::new(AT_ONCE) })
    }

    async fn signed(&self, message: &[u8]) -> Result<String, SignerError> {
        // Never closed.
        let _turn = self.turns.acquire().await;
        let text = self.program.ask("sign", message).await?;
        let signature = signature(text.trim())
            .ok_or_else(|| self.program.refused("what it prints is neither hex nor base64"))?;
        checked(&self.program.uri, &self.key, message, signature)
    }
}

/// Hex of what was printed in hex or in base64, perhaps in several lines.
fn signature(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect();
    let bytes = hex::decode(&text).ok().or_else(|| STANDARD.decode(&text).ok())?;
    Some(hex::encode(bytes))
}

impl Signer for CommandSigner {
    fn key(&self) -> &Key {
        &self.key
    }

    fn backend(&self) -> Backend {
        Backend::Command
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(self.signed(message))
    }
}

#[cfg(test)]
mod tests;
