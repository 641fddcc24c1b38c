//! Ceremonies: what people do with the keys of root, targets and bins, and what clients see of it.

mod audience;
mod bucket;
mod desk;
mod guide;
mod page;
mod refusals;
mod rotations;
mod shop;
mod stage;

mod thief;
