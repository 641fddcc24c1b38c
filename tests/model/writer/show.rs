//! The last part: the timestamp, the report, the cursor.

use super::{At, Renewal, Writer};
use crate::world::{Created, Name, NoAnswer, Object, World};

impl Writer {
    /// Begins to make the goal visible.
    pub(super) fn show(&self, world: &World) -> At {
        if world.rules.list_then_read { At::ListTimestamps } else { At::ListNewest }
    }

    pub(super) fn list_timestamps(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        self.top = world.highest(Name::Timestamp)?;
        Ok(At::ReadTimestamp(self.top))
    }

    pub(super) fn read_timestamp(
        &mut self,
        world: &mut World,
        number: u32,
    ) -> Result<At, NoAnswer> {
        let Some((newest, _)) = world.read_commit(Name::Timestamp(number))? else {
            return Ok(self.show(world));
        };
        let shown = newest.number >= self.goal.0 && self.renewal != Some(Renewal::Timestamp);
        Ok(match (shown, world.rules.list_then_read) {
            (true, _) => self.report(world),
            (false, true) => At::ListNewest,
            (false, false) => At::CreateTimestamp,
        })
    }

    pub(super) fn list_newest(&mut self, world: &mut World) -> Result<At, NoAnswer> {
        Ok(At::ReadNewest(world.highest(Name::Journal)?))
    }

    pub(super) fn read_newest(&mut self, world: &mut World, number: u32) -> Result<At, NoAnswer> {
        let Some((newest, _)) = world.read_commit(Name::Journal(number))? else {
            return Ok(self.show(world));
        };
        self.newest = newest;
        Ok(if world.rules.list_then_read { At::CreateTimestamp } else { At::ListTimestamps })
    }

    pub(super) fn create_timestamp(&mut self, world: &mut World) -> At {
        self.newest.id = world.fresh();
        let created = world.create(Name::Timestamp(self.top + 1), Object::Commit(self.newest));
        if created != Created::Unknown {
            // Who lost the race sees a timestamp that is as young.
            self.renewal = None;
        }
        if world.rules.listed_until_shown || created == Created::Unknown {
            self.show(world)
        } else {
            self.report(world)
        }
    }

    /// Tells those who asked; the cursor follows.
    pub(super) fn report(&mut self, world: &mut World) -> At {
        world.observer.reported(self.goal.1);
        let looks = self.looks;
        self.asked.retain(|(project, state)| looks[*project].is_none_or(|seen| seen < *state));
        if self.seen(self.goal.0) == self.cursor || !world.rules.cursor_last {
            At::Idle
        } else {
            At::PutCursor
        }
    }

    pub(super) fn put_cursor(&mut self, world: &mut World) -> At {
        world.put_cursor(self.seen(self.goal.0));
        At::Idle
    }
}
