//! `docs/ceremony.md`, word for word: from the first key to the cron job, in one go.

use super::audience::{Client, Loop, Place};
use super::page::{self, Act, What};
use super::shop::{Shop, wait_for};
use super::stage::Stage;
use super::thief::Thief;
use crate::support::tools::need;

/// Where clients may meet an error, as the page says.
const WITH_A_GAP: [&str; 2] = ["The online key is lost", STOLEN];
const STOLEN: &str = "The online key is stolen";

#[test]
fn word_for_word() {
    need!(Python, TufJs);
    let mut play = Play::new();
    for section in page::read() {
        let has_gap = WITH_A_GAP.contains(&&*section.title);
        if has_gap {
            play.end_loop();
        } else if play.stage.is_serving() && play.looking_on.is_none() {
            play.looking_on = Some(Loop::start(&play.place(), &play.shop.wanted()));
        }
        let thief = (section.title == STOLEN).then(|| play.theft());
        for act in &section.acts {
            println!("{}: line {}, at {}", section.title, act.line, act.machine);
            play.perform(act);
        }
        if let Some(thief) = thief {
            thief.has_lost(&play.shop.wanted(), &play.kept);
        }
    }
    play.end_loop();
    assert!(play.publications >= 9, "{} publications", play.publications);
    assert!(play.refreshes > 0);
    play.stage.type_in("sidecar", "countersign fsck --config countersign.toml\n");
    play.stage.stop();
}

struct Play {
    stage: Stage,
    shop: Shop,
    /// Clients that have seen it all, from the first publication on.
    kept: Vec<Client>,
    publications: usize,
    /// Clients that do nothing else, over all that is to have no gap.
    looking_on: Option<Loop>,
    refreshes: u64,
}

impl Play {
    fn new() -> Self {
        let mut shop = Shop::open("qx-guide");
        shop.add();
        let stage = Stage::before(&shop.mirror.origin());
        Self { stage, shop, kept: Vec::new(), publications: 0, looking_on: None, refreshes: 0 }
    }

    fn place(&self) -> Place {
        let root = self.stage.home("sidecar").join("countersign-data/repository/root/1.root.json");
        Place { root, origin: self.stage.origin() }
    }

    fn perform(&mut self, act: &Act) {
        let published = match &act.what {
            What::Typed { script, shown } => {
                let seen = self.stage.type_in(&act.machine, script);
                println!("{seen}");
                for line in shown {
                    assert!(seen.contains(line), "line {}: {line:?} is not in:\n{seen}", act.line);
                }
                script.contains(" publish ")
            }
            What::Served { command } => {
                self.stage.serve(&act.machine, command);
                true
            }
            What::Stopped => {
                self.stage.stop();
                false
            }
        };
        if published && self.stage.is_serving() {
            self.show();
        }
    }

    /// All clients come, those that know version 1 of root alone too. Then something new is signed, and they see that.
    fn show(&mut self) {
        self.publications += 1;
        if self.publications == 1 {
            wait_for(&self.stage.origin(), &self.shop.files()[0]);
            self.kept = self.place().clients().into();
        }
        let wanted = self.shop.wanted();
        for client in self.kept.iter().chain(&self.place().clients()) {
            client.finds(&wanted);
        }
        let file = self.shop.add();
        wait_for(&self.stage.origin(), &file);
        let wanted = self.shop.wanted();
        for client in &self.kept {
            client.finds(&wanted);
        }
        if let Some(clients) = &self.looking_on {
            clients.tell(&wanted);
        }
    }

    fn end_loop(&mut self) {
        if let Some(clients) = self.looking_on.take() {
            self.refreshes += clients.stop();
        }
    }

    /// Somebody has the online key, and uses it in two ways.
    fn theft(&mut self) -> Thief {
        let place = self.place();
        let mut thief = Thief::between(&place, &self.stage, &self.shop);
        thief.takes_over(&mut self.stage, &self.shop, &self.kept);
        thief
    }
}
