//! One look at a project at a time. Who asks for one meanwhile shares the next, which begins afterwards: a look counts
//! for a publication only if it began after the last one of that project.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::Shared;
use tokio::sync::oneshot;

use crate::index::ProjectName;

use super::wish::{Looked, Wish};

/// The looks under way.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<ProjectName, Flight>>>);

/// What comes of a look; `Err` where it was broken off.
pub(super) type Answer = Shared<oneshot::Receiver<Looked>>;

struct Flight {
    current: Answer,
    next: Option<(Ticket, Answer)>,
}

/// The right, and the duty, to look.
pub(super) struct Ticket {
    pub(super) wish: Wish,
    done: oneshot::Sender<Looked>,
}

/// Looks at one project until nobody wants another look. Dropped, it leaves the project free.
pub(super) struct Pilot {
    flights: Flights,
    project: ProjectName,
    landed: bool,
}

impl Flights {
    /// A look that begins after now: `Some` where the caller has to fly it.
    pub(super) fn request(
        &self,
        project: &ProjectName,
        wish: Wish,
    ) -> (Answer, Option<(Pilot, Ticket)>) {
        match self.lock().entry(project.clone()) {
            Entry::Vacant(vacant) => {
                let (ticket, current) = Ticket::new(wish);
                vacant.insert(Flight { current: current.clone(), next: None });
                let pilot =
                    Pilot { flights: self.clone(), project: project.clone(), landed: false };
                (current, Some((pilot, ticket)))
            }
            Entry::Occupied(mut occupied) => match &mut occupied.get_mut().next {
                Some((ticket, answer)) => {
                    ticket.wish.merge(wish);
                    (answer.clone(), None)
                }
                next => {
                    let (ticket, answer) = Ticket::new(wish);
                    *next = Some((ticket, answer.clone()));
                    (answer, None)
                }
            },
        }
    }

    /// The look that is under way, if there is one.
    pub(super) fn current(&self, project: &ProjectName) -> Option<Answer> {
        Some(self.lock().get(project)?.current.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectName, Flight>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    fn new(wish: Wish) -> (Self, Answer) {
        let (done, answer) = oneshot::channel();
        (Self { wish, done }, answer.shared())
    }

    /// Tells those who wait.
    pub(super) fn done(self, looked: Looked) {
        // Nobody may wait.
        let _ = self.done.send(looked);
    }
}

impl Pilot {
    pub(super) fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The next look that was asked for meanwhile.
    pub(super) fn next(&mut self) -> Option<Ticket> {
        let mut flights = self.flights.lock();
        let flight = flights.get_mut(&self.project)?;
        match flight.next.take() {
            Some((ticket, answer)) => {
                flight.current = answer;
                Some(ticket)
            }
            None => {
                flights.remove(&self.project);
                self.landed = true;
                None
            }
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        // A look broke off: those who wait see that, and others may begin.
        if !self.landed {
            self.flights.lock().remove(&self.project);
        }
    }
}
