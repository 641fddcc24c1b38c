//! PKCS#11 modules: one of each in a process, whatever number of keys lie behind it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::super::SignerError;
use super::point::Curve;
use super::{Place, error, token};
use crate::tuf::Key;

/// Those that were loaded. A module is never unloaded: what it started may still run.
static MODULES: LazyLock<std::sync::Mutex<HashMap<PathBuf, Arc<Module>>>> =
    LazyLock::new(Default::default);

/// A module. All that is asked of it is asked in turn.
pub(super) struct Module {
    pub(super) context: Arc<tokio::sync::Mutex<Context>>,
}

impl Module {
    pub(super) fn of(path: &Path) -> Arc<Self> {
        // Whoever held the lock only looked up or put in.
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let context = Context { path: path.into(), ..Context::default() };
            Arc::new(Self { context: Arc::new(tokio::sync::Mutex::new(context)) })
        };
        modules.entry(path.into()).or_insert_with(new).clone()
    }
}

/// What a module holds for us.
#[derive(Default)]
pub(super) struct Context {
    path: PathBuf,
    library: Option<Pkcs11>,
    /// By the key's URI. They do not close themselves: after a new start their numbers belong to others.
    held: HashMap<String, Held>,
    /// PINs that a token, by its serial number, did not take. Only another PIN is tried on it.
    pub(super) wrong_pins: HashMap<String, Zeroizing<String>>,
}

/// A session in which the key was found.
pub(super) struct Held {
    pub(super) session: Session,
    pub(super) private: ObjectHandle,
    pub(super) curve: Curve,
    pub(super) public: Key,
}

impl Context {
    /// The session of a key, opened where there is none.
    pub(super) fn held(&mut self, place: &Place) -> Result<&Held, SignerError> {
        if !self.held.contains_key(&place.text) {
            let held = match self.open(place) {
                // A module may see only what was there when it started.
                Err(SignerError::Away { .. }) => {
                    self.start_anew();
                    self.open(place)?
                }
                outcome => outcome?,
            };
            self.held.insert(place.text.clone(), held);
        }
        self.held.get(&place.text).ok_or_else(|| place.away("its session is lost"))
    }

    /// Forgets the session of a key, and leaves to the token to end it where it still knows it.
    pub(super) fn let_go(&mut self, place: &Place) {
        if let Some(held) = self.held.remove(&place.text) {
            let _ = held.session.close();
        }
    }

    fn open(&mut self, place: &Place) -> Result<Held, SignerError> {
        let library = self.library(place)?.clone();
        let slot = token::find(&library, place)?;
        let session = library.open_ro_session_no_drop(slot).map_err(|e| error::of(place, &e))?;
        let found = token::log_in(self, &library, slot, &session, place)
            .and_then(|()| token::key(&session, place));
        match found {
            Ok((private, curve, public)) => Ok(Held { session, private, curve, public }),
            Err(error) => {
                let _ = session.close();
                Err(error)
            }
        }
    }

    /// The module, loaded and started where it is not yet.
    pub(super) fn library(&mut self, place: &Place) -> Result<&Pkcs11, SignerError> {
        if self.library.is_none() {
            let library = Pkcs11::new(&self.path).map_err(|e| error::of(place, &e))?;
            let threads = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
            match library.initialize(threads) {
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => (),
                Err(failed) => return Err(error::of(place, &failed)),
            }
            self.library = Some(library);
        }
        self.library.as_ref().ok_or_else(|| place.away("its module is not loaded"))
    }

    /// Ends all sessions and the module; the next request starts it again.
    fn start_anew(&mut self) {
        self.held.clear();
        if let Some(library) = self.library.take() {
            let _ = library.finalize();
        }
    }
}
