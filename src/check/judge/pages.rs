//! Project pages.

use super::Topic::Pages;
use super::{Finding, Report};
use crate::check::facts::{ETags, Kind, List, PageCause, Sample, Serials};
use crate::check::text::{many, number};

pub(super) fn judge(report: &Report) -> Vec<Finding> {
    let sample = &report.sample;
    if sample.projects == 0 {
        return Vec::new();
    }
    let mut findings = vec![read(report)];
    if sample.cut_short {
        findings.push(Pages.fail(
            "The mirror no longer answered; the look at it ended early.",
            "Look at the mirror's own log, and check again.",
        ));
    }
    findings.extend(sample.refused_pages.iter().map(|(cause, group)| {
        let (what, todo) = refused(*cause);
        Pages.fail(format!("{} {what}", many(group.count, "page")), todo).with(group)
    }));
    if sample.missing.count > 0 {
        let what = format!("{} no page, though listed or named.", have(sample.missing.count));
        findings.push(
            Pages
                .note(what, "They are not signed. Nothing to do if they are meant to be gone.")
                .with(&sample.missing),
        );
    }
    if sample.elsewhere.count > 0 {
        let what = format!("{} their page on another index only.", have(sample.elsewhere.count));
        let todo = "They are not signed here. Put a countersign in front of that index, or copy them to this one.";
        findings.push(Pages.note(what, todo).with(&sample.elsewhere));
    }
    if sample.json + sample.html > 0 {
        findings.extend(statuses(sample));
        findings.push(changes(report));
    }
    findings
}

fn have(projects: u64) -> String {
    let verb = if projects == 1 { "has" } else { "have" };
    format!("{} {verb}", many(projects, "project"))
}

fn read(report: &Report) -> Finding {
    let sample = &report.sample;
    let of = match report.list {
        List::Listed { projects, .. } if projects as u64 > sample.projects => {
            format!(" of {}", number(projects as u64))
        }
        _ => String::new(),
    };
    let format = match (sample.json, sample.html) {
        (0, 0) => String::new(),
        (_, 0) => ", all in JSON".into(),
        (0, _) => ", all in HTML: clients get JSON all the same".into(),
        (json, html) => format!(", {} in JSON and {} in HTML", number(json), number(html)),
    };
    let empty = match sample.empty {
        0 => String::new(),
        empty => format!(", {} without files", number(empty)),
    };
    let usable = sample.json + sample.html;
    Pages.ok(format!(
        "{}{of} looked at; {} could be signed{format}{empty}.",
        many(sample.projects, "project"),
        many(usable, "page"),
    ))
}

/// The end of the sentence "17 pages …", and what to do.
fn refused(cause: PageCause) -> (&'static str, &'static str) {
    match cause {
        PageCause::Login => (
            "would be refused: the mirror wants a login for them.",
            "Open them to everybody, or set upstream.credentials together with access = \"open\" in the configuration file.",
        ),
        PageCause::Origin => (
            "would be refused: they are redirected to another origin.",
            "If that origin is trusted, add it to upstream.origins in the configuration file.",
        ),
        PageCause::Redirect => (
            "would be refused: they are redirected to something else.",
            "Give the URL at which the mirror answers without a redirect.",
        ),
        PageCause::TooLarge => (
            "would be refused: they are larger than limits.page.",
            "Raise limits.page in the configuration file; memory grows with it.",
        ),
        PageCause::Malformed => (
            "would be refused: they are no pages of the simple API, or broken ones.",
            "Look at them with a browser, and mend them on the mirror.",
        ),
        PageCause::Error => (
            "could not be had.",
            "Look at the mirror's own log, and check again; raise upstream.response-timeout if it is only slow.",
        ),
    }
}

fn statuses(sample: &Sample) -> Option<Finding> {
    let said = |(status, count): (&String, &u64)| format!("{} {status}", number(*count));
    let told: Vec<String> =
        sample.statuses.iter().filter(|(status, _)| *status != "active").map(said).collect();
    if told.is_empty() {
        return None;
    }
    let what = format!("Project statuses (PEP 792): {}.", told.join(", "));
    Some(match sample.statuses.contains_key("quarantined") {
        false => Pages.ok(what),
        true => Pages.note(
            format!("{what} Files of quarantined projects are not offered."),
            "Nothing to do; a project comes back when the mirror lifts its quarantine.",
        ),
    })
}

/// How changes can be noticed.
fn changes(report: &Report) -> Finding {
    let sample = &report.sample;
    let pages = sample.json + sample.html;
    let told = format!(
        "{} {}",
        serials(&sample.serials, &report.list, pages),
        etags(&sample.etags, pages)
    );
    let cheap = sample.etags.revalidates == Some(true) && sample.etags.misleading.is_none();
    if cheap || (sample.serials.distinct > 1 && sample.etags.misleading.is_none()) {
        return Pages.ok(told);
    }
    let todo = match report.mirror.kind {
        Kind::Devpi | Kind::Pypiserver => {
            "Nothing has to be done: pages are fetched whole at each poll and compared. Raise watch.interval if that is too much."
        }
        _ => {
            "Nothing has to be done: pages are compared whole. If the mirror stands behind a cache, look whether that mixes up ETags."
        }
    };
    Pages.note(told, todo)
}

fn serials(serials: &Serials, list: &List, pages: u64) -> String {
    let listed = match list {
        List::Listed { project_serials: some @ 1.., .. } => {
            format!(" The list gives {}.", many(*some, "serial"))
        }
        List::Listed { serial: Some(0), .. } => {
            " The list's serial is 0, which says nothing.".into()
        }
        _ => String::new(),
    };
    let own = match (serials.pages, serials.distinct) {
        (0, _) => "Pages have no serials.".into(),
        (1, _) if pages == 1 => "The page has a serial.".into(),
        (_, 1) => "All pages have the same serial, which is not believed.".into(),
        (some, distinct) => {
            format!("{} have serials, {} different ones.", many(some, "page"), number(distinct))
        }
    };
    format!("{own}{listed}")
}

fn etags(etags: &ETags, pages: u64) -> String {
    if let Some(tag) = &etags.misleading {
        return format!(
            "The ETag {tag} stands for different pages, so that ETags are not believed."
        );
    }
    let some = match (etags.pages, etags.dated) {
        (0, 0) => return "They have neither ETag nor Last-Modified.".into(),
        (0, dated) if dated == pages => "They have a Last-Modified".to_owned(),
        (tagged, _) if tagged == pages => "They have an ETag".to_owned(),
        (0, dated) => format!("{} have a Last-Modified", number(dated)),
        (tagged, _) => format!("{} have an ETag", number(tagged)),
    };
    match etags.revalidates {
        Some(true) => format!("{some}, and an unchanged page is answered with 304."),
        _ => format!("{some}, but an unchanged page is sent again whole."),
    }
}
