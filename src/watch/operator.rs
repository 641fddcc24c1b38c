//! The operator's word.

use std::time::{Duration, Instant};

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use crate::control::{ControlError, Handler, Reply, Request};
use crate::index::ProjectName;
use crate::policy::{Allowance, Block, Unblock};
use crate::repository::Receipt;
use crate::telemetry::{LookOutcome, Trigger};
use crate::tuf::Digest;

use super::wish::{Found, Looked, Wish};
use super::{Watch, Watcher};

/// How long an operator waits for a file to be fetched and hashed.
const PATIENCE: Duration = Duration::from_secs(90);

type Answer = Result<Reply, ControlError>;

impl Handler for Watcher {
    fn handle(&self, request: Request) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match request {
                Request::Allow { project, filename, sha256 } => {
                    self.allow(&project, &filename, sha256).await
                }
                Request::AllowWithdrawals => self.allow_withdrawals().await,
                Request::Block { project, filename } => self.block(&project, filename).await,
                Request::Unblock { project, filename } => self.unblock(&project, filename).await,
                Request::PublishRoles { .. } => refused("this is not for the watcher".to_owned()),
            }
        })
    }
}

impl Watcher {
    /// Lets exactly these bytes take the name, once: the mirror must have them under that name now.
    ///
    /// # Errors
    /// [`ControlError::Refused`] says why nothing was changed.
    pub async fn allow(&self, project: &ProjectName, filename: &str, sha256: Digest) -> Answer {
        let allowance = Allowance { filename: filename.to_owned(), sha256 };
        let allowances = vec![allowance];
        let wish = Wish { patience: PATIENCE, allowances, ..Wish::anew(Trigger::Operator) };
        let looked = self.watch.look_for_operator(project, wish).await?;
        if let Some(error) = &looked.error
            && looked.receipt.is_none()
        {
            return refused(format!(
                "{project} cannot be looked at now, nothing was changed: {error}"
            ));
        }
        match looked.found.get(filename) {
            None => refused(format!(
                "the mirror does not list {filename} for {project}: nothing was changed"
            )),
            Some(Found::Held(why)) => refused(format!(
                "the mirror's {filename} cannot be taken, nothing was changed: {why}"
            )),
            Some(Found::Hash(found)) if *found != sha256 => refused(format!(
                "the mirror has {filename} with SHA-256 {found}, not {sha256}: nothing was changed"
            )),
            Some(Found::Hash(_)) => allowed(filename, sha256, &looked),
        }
    }

    /// The withdrawals that wait because they are many are meant.
    ///
    /// # Errors
    /// [`ControlError::Refused`] where none wait.
    pub async fn allow_withdrawals(&self) -> Answer {
        let waiting = self.watch.missing.waiting();
        if waiting.is_empty() {
            return refused("no withdrawals wait for a word".to_owned());
        }
        let wish = Wish { withdraw: true, ..Wish::anew(Trigger::Operator) };
        let looks = waiting.iter().map(|project| self.watch.look(project, wish.clone()));
        let looked = join_all(looks).await;
        let withdrawn = looked.iter().flatten().filter(|l| l.outcome == LookOutcome::Withdrawn);
        let (count, asked) = (withdrawn.clone().count(), waiting.len());
        let commit = withdrawn.filter_map(|l| Some(l.receipt.as_ref()?.commit)).max();
        let message = format!("{count} of {asked} projects that seemed to be gone are withdrawn");
        Ok(Reply { message, commit })
    }

    /// Takes a project, or one file of it, out of what is signed, at once.
    ///
    /// # Errors
    /// [`ControlError::Refused`] where that cannot be published.
    pub async fn block(&self, project: &ProjectName, filename: Option<String>) -> Answer {
        let what = named(project, filename.as_deref());
        let edit = Block { project: project.clone(), filename };
        let receipt = self.watch.order(project, Arc::new(edit)).await?;
        let message = match receipt.changed {
            true => format!("{what} is blocked: it is no longer signed or served"),
            false => format!("{what} was blocked already"),
        };
        Ok(Reply { message, commit: Some(receipt.commit) })
    }

    /// Takes a block back, and looks at the project.
    ///
    /// # Errors
    /// [`ControlError::Refused`] where that was not blocked, or cannot be published.
    pub async fn unblock(&self, project: &ProjectName, filename: Option<String>) -> Answer {
        let what = named(project, filename.as_deref());
        let edit = Unblock { project: project.clone(), filename: filename.clone() };
        let receipt = self.watch.order(project, Arc::new(edit)).await?;
        if !receipt.changed {
            let hint = if filename.is_some() { "; perhaps the whole project is" } else { "" };
            return refused(format!("{what} is not blocked{hint}"));
        }
        let looked = self.watch.look_for_operator(project, Wish::anew(Trigger::Operator)).await?;
        let commit = looked.receipt.map_or(receipt.commit, |r| r.commit.max(receipt.commit));
        let message = match looked.error {
            None => format!("{what} is no longer blocked"),
            Some(error) => {
                format!("{what} is no longer blocked, and comes back with the next look: {error}")
            }
        };
        Ok(Reply { message, commit: Some(commit) })
    }
}

impl Watch {
    async fn look_for_operator(
        &self,
        project: &ProjectName,
        wish: Wish,
    ) -> Result<Looked, ControlError> {
        self.negative.invalidate(project).await;
        let looked = self.look(project, wish).await;
        looked.map_err(|_| ControlError::Refused("countersign is stopping".to_owned()))
    }

    /// Publishes what an operator wants.
    async fn order(
        &self,
        project: &ProjectName,
        edit: Arc<dyn crate::repository::Edit>,
    ) -> Result<Receipt, ControlError> {
        let published = self.publish(project, edit, Instant::now()).await;
        self.cursors.forget(project);
        self.negative.invalidate(project).await;
        published.map_err(|error| ControlError::Refused(format!("nothing was changed: {error}")))
    }
}

fn allowed(filename: &str, sha256: Digest, looked: &Looked) -> Answer {
    let Some(receipt) = &looked.receipt else {
        return refused(format!("{filename} was not published: nothing was changed"));
    };
    if let Some((_, old, new)) = receipt.allowed.iter().find(|(name, ..)| name == filename) {
        let old = old.map(|old| format!(" instead of {old}")).unwrap_or_default();
        let message = format!("{filename} stands for SHA-256 {new} now{old}");
        return Ok(Reply { message, commit: Some(receipt.commit) });
    }
    let about = |name: &Option<String>| name.as_deref().is_none_or(|name| name == filename);
    match receipt.refused.iter().find(|refused| about(&refused.filename)) {
        Some(why) => {
            refused(format!("{filename} is refused ({}): nothing was changed", why.reason))
        }
        None => Ok(Reply {
            message: format!("{filename} stands for SHA-256 {sha256}, and needed no word"),
            commit: Some(receipt.commit),
        }),
    }
}

fn named(project: &ProjectName, filename: Option<&str>) -> String {
    filename.map_or_else(|| project.to_string(), |name| format!("{name} of {project}"))
}

fn refused(sentence: String) -> Answer {
    Err(ControlError::Refused(sentence))
}
