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
        let thief = (section.title == STOLEN).then(|| play.theft());
        let undisturbed = play.stage.is_serving() && !WITH_A_GAP.contains(&&*section.title);
        let looking_on = undisturbed.then(|| Loop::start(&play.place(), &play.shop.wanted()));
        for act in &section.acts {
            println!("{}: line {}, at {}", section.title, act.line, act.machine);
            play.perform(act, looking_on.as_ref());
        }
        if let Some(clients) = looking_on {
            play.refreshes += clients.stop();
        }
        if let Some(thief) = thief {
            thief.has_lost(&play.shop.wanted(), &play.kept);
        }
    }
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
    /// Of clients that do nothing else.
    refreshes: u64,
}

impl Play {
    fn new() -> Self {
        let mut shop = Shop::open("qx-guide");
        shop.add();
        let stage = Stage::before(&shop.mirror.origin());
        Self { stage, shop, kept: Vec::new(), publications: 0, refreshes: 0 }
    }

    fn place(&self) -> Place {
        let root = self.stage.home("sidecar").join("countersign-data/repository/root/1.root.json");
        Place { root, origin: self.stage.origin() }
    }

    fn perform(&mut self, act: &Act, looking_on: Option<&Loop>) {
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
            self.show(looking_on);
        }
    }

    /// All clients come, those that know version 1 of root alone too. Then something new is signed, and they see that.
    fn show(&mut self, looking_on: Option<&Loop>) {
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
        if let Some(clients) = looking_on {
            clients.tell(&wanted);
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
