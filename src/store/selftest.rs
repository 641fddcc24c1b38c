//! Whether create-if-absent holds: everything that must agree rests on it.

use futures::future::join_all;

use super::{Created, Durable, Store, StoreError, layout};

/// Creates at once.
const RACERS: usize = 8;
/// How often a race that tells nothing is run again: a winner whose answer was lost sees its own object as somebody's,
/// and some stores let those who lose wait for longer than we do.
const RACES: usize = 3;
/// As many that are told that they lost show that the condition is heeded, whatever became of the rest.
const ENOUGH: usize = 3;

impl Store {
    /// Lets eight creates of one name run at once, of which exactly one may win, and deletes the object.
    ///
    /// # Errors
    /// [`StoreError::NoExclusion`] where several won, [`StoreError::NobodyWins`] where none did, and what the store
    /// answered where it failed.
    pub async fn self_test(&self) -> Result<(), StoreError> {
        let mut last = StoreError::NobodyWins(RACERS);
        for _ in 0..RACES {
            let name = layout::self_test(&random());
            let racers = (0..RACERS).map(|n| self.create(&name, n.to_string(), Durable::Now));
            let ended = join_all(racers).await;
            let of = |what| ended.iter().filter(|end| matches!(end, Ok(it) if *it == what)).count();
            let (winners, losers) = (of(Created::New), of(Created::Taken));
            let failed = ended.into_iter().find_map(Result::err);
            let deleted = self.delete(vec![name]).await;
            match (winners, failed) {
                (2.., _) => return Err(StoreError::NoExclusion { racers: RACERS, winners }),
                (1, failed) if failed.is_none() || losers >= ENOUGH => return deleted.map(drop),
                (_, Some(error)) => last = error,
                (_, None) => drop(deleted?),
            }
        }
        Err(last)
    }
}

/// A name that no other start uses.
fn random() -> String {
    let mut bytes = [0; 8];
    // Without entropy the process's number must do: the object is deleted at the end.
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        Err(_) => std::process::id().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::super::testing::{Creates, Racing};
    use super::*;

    fn store(creates: Creates) -> Store {
        Store::over_shared(Arc::new(Racing::new(creates)))
    }

    #[tokio::test]
    async fn a_store_with_one_winner_passes_and_is_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        for store in
            [Store::open(folder.path()).unwrap(), Store::over_shared(Arc::new(InMemory::new()))]
        {
            store.self_test().await.unwrap();
            assert!(store.list(layout::SELF_TEST).await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_store_with_several_winners_is_refused() {
        let error = store(Creates::AllWin).self_test().await.unwrap_err();
        assert!(matches!(error, StoreError::NoExclusion { racers: 8, winners: 8 }), "{error}");
        assert!(error.to_string().contains("versions with two contents"));
    }

    #[tokio::test]
    async fn a_store_in_which_nobody_wins_is_refused() {
        let error = store(Creates::NoneWins).self_test().await.unwrap_err();
        assert!(matches!(error, StoreError::NobodyWins(8)), "{error}");
    }

    #[tokio::test]
    async fn a_lost_answer_of_the_winner_is_no_reason() {
        store(Creates::FirstAnswerLost).self_test().await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_fails_says_so() {
        let error = store(Creates::Fail).self_test().await.unwrap_err();
        assert!(matches!(error, StoreError::Object { action: "create", .. }), "{error}");
    }
}
