use super::*;
use crate::check::facts::{
    ETags, Form, Kind, List, Measured, Mirror, PageCause, Replacing, Sample, Serials, Sizes,
    UnknownName,
};
use crate::check::text::render;

fn listed(projects: usize) -> List {
    List::Listed { projects, unnamed: 0, format: Form::Html, serial: None, project_serials: 0 }
}

/// A pypiserver of two projects, all of them looked at.
fn report() -> Report {
    let files = 4;
    Report {
        upstream: "http://127.0.0.1:8081/simple/".into(),
        mirror: Mirror {
            kind: Kind::Pypiserver,
            version: Some("2.4.2".into()),
            evidence: "its front page says so".into(),
        },
        list: listed(2),
        unknown_name: UnknownName::NotThere,
        sample: Sample { projects: 2, html: 2, files, without_size: files, ..Sample::default() },
        ..Report::default()
    }
}

/// The text without its line breaks.
fn text(report: &Report) -> String {
    let text = render(&report.upstream, &findings(report));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(report: &Report, said: &str) {
    let text = text(report);
    assert!(text.contains(said), "{said}\n{text}");
}

#[test]
fn a_whole_report() {
    let report = report();
    let text = render(&report.upstream, &findings(&report));
    assert_eq!(
        text,
        "http://127.0.0.1:8081/simple/

The mirror
  ok    It seems to be pypiserver 2.4.2 (its front page says so). Nothing to do.
  ok    It lists 2 projects, in HTML. Nothing to do.
  ok    It wants no login for its list. Nothing to do.
  ok    It says plainly when it does not have a project (404). Nothing to do.
  note  Whether uploaders can replace files cannot be told without an upload. A replaced file is
        refused and reported until `countersign allow` names its new SHA-256.
        -> Look whether it runs with --overwrite, and leave that out.

Pages
  ok    2 projects looked at; 2 pages could be signed, all in HTML: clients get JSON all the same.
        Nothing to do.
  note  Pages have no serials. They have neither ETag nor Last-Modified.
        -> Nothing has to be done: pages are fetched whole at each poll and compared. Raise
        watch.interval if that is too much.

Files
  ok    4 files are listed on these pages; all could be signed. Nothing to do.
  ok    All files have a SHA-256, which their pages pin at once. Nothing to do.
  ok    4 files have no size on the page: each costs one HEAD, once. Nothing to do.
  ok    No file has core metadata (PEP 658) on the mirror: clients fetch wheels to read it. Nothing
        to do.

Next
  note  The index has 4 files; --expected-files 100 makes 32 bins.
        -> Start with:
        countersign serve --upstream http://127.0.0.1:8081/simple/ --expected-files 100

Everything that was looked at could be signed."
    );
}

#[test]
fn every_finding_says_what_to_do() {
    let mut report = report();
    report.plain_http = true;
    report.sample.refused_pages.entry(PageCause::Error).or_default().add("demo", "status 500");
    for list in [
        listed(0),
        listed(2),
        listed(30_000),
        List::Missing,
        List::Login { status: 401 },
        List::Failed { why: "no".into() },
    ] {
        for unknown_name in [
            UnknownName::Elsewhere { to: "https://index.example/".into() },
            UnknownName::Page { files: 1 },
            UnknownName::Other { why: "status 500".into() },
        ] {
            report.list = list.clone();
            report.unknown_name = unknown_name;
            for finding in findings(&report) {
                assert!(finding.what.ends_with('.'), "{finding:?}");
                assert!(finding.todo.ends_with(['.', ':']), "{finding:?}");
                assert_eq!(finding.todo.ends_with(':'), finding.command.is_some(), "{finding:?}");
            }
        }
    }
}

#[test]
fn a_large_index_is_extrapolated() {
    let mut report = report();
    report.list = listed(30_000);
    report.sample.without_size = 0;
    report.sample.without_sha256 = Sizes { files: 4, sized: 0, bytes: 0 };
    report.lengths.without_sha256 = Measured { asked: 2, answered: 2, bytes: 2 << 20 };
    says(&report, "Of more than 20,000, only those that clients ask for are signed.");
    says(&report, "watch.mode = \"all\"");
    says(&report, "4.0 MiB going by 2 files that were asked for with HEAD");
    says(&report, "For the whole index, going by the sample: about 60,000 files, 58.6 GiB.");
    says(&report, "has about 60,000 files; --expected-files 60000 makes 1,024 bins.");
    report.lengths.without_sha256 = Measured { asked: 2, answered: 0, bytes: 0 };
    says(&report, "of unknown size");
    says(&report, "None of 2 was answered with a length.");
}

#[test]
fn a_login_that_is_refused_is_told_from_none() {
    let mut report = report();
    report.list = List::Login { status: 403 };
    says(&report, "It wants a login (status 403 for the project list).");
    report.credentials = true;
    says(&report, "It refuses the login that upstream.credentials holds (status 403).");
    report.list = listed(2);
    says(&report, "everybody who reaches countersign may read what this login can read");
}

#[test]
fn replacing_is_advised_on_by_kind() {
    let mut report = report();
    for (kind, said) in [
        (Kind::Nexus, "Disable redeploy"),
        (Kind::Artifactory, "permission to overwrite or delete"),
        (Kind::Bandersnatch, "Ask this of the index that it copies."),
        (Kind::Unknown, "Look into the mirror's own settings"),
    ] {
        report.mirror.kind = kind;
        says(&report, said);
    }
    report.replacing = Replacing::Yes { index: "a b/dev".into() };
    says(&report, "devpi index 'a b/dev' volatile=False");
}

#[test]
fn validators_and_serials_are_judged() {
    let mut report = report();
    let good = ETags { pages: 2, dated: 2, misleading: None, revalidates: Some(true) };
    report.sample.etags = good.clone();
    says(
        &report,
        "ok Pages have no serials. They have an ETag, and an unchanged page is answered with 304.",
    );
    report.sample.etags = ETags { misleading: Some("\"x\"".into()), ..good.clone() };
    says(&report, "note Pages have no serials. The ETag \"x\" stands for different pages");
    report.sample.etags = ETags { revalidates: Some(false), ..good };
    says(&report, "but an unchanged page is sent again whole");
    report.sample.serials = Serials { pages: 2, distinct: 2 };
    says(&report, "ok 2 pages have serials, 2 different ones.");
    report.sample.serials = Serials { pages: 2, distinct: 1 };
    says(&report, "All pages have the same serial, which is not believed.");
}

#[test]
fn statuses_are_told() {
    let mut report = report();
    report.sample.statuses = [("active".to_owned(), 1), ("archived".to_owned(), 1)].into();
    says(&report, "ok Project statuses (PEP 792): 1 archived.");
    report.sample.statuses.insert("quarantined".into(), 2);
    says(&report, "Files of quarantined projects are not offered.");
}
