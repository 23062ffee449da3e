//! The stream of changes: slot, publication, connection.
//!
//! The connector knows [`ChangeStream`] alone. Behind it is a connection on a thread of its own, whose task reads the
//! socket and keeps telling the server how far we are, also while nobody takes changes.

mod history;
mod identity;
mod line;
mod mover;
mod publication;
mod queue;
mod session;
mod slot;
mod stream;
mod wire;

pub(crate) use history::{Origin, diverged};
pub(crate) use identity::{check as check_identities, set as set_identities};
pub(crate) use publication::{Publication, check as check_publication, prepare as prepare_publication};
pub(crate) use queue::Load;
pub(crate) use session::{Session, Target};
pub(crate) use slot::{Position, Slot, can_fail_over, check as check_slot, find as find_slot};
pub(crate) use stream::{ChangeStream, Frame};
