use proptest::prelude::*;

use super::route::{Named, Part, Resource, Routes};
use crate::index::{Format, ProjectName};
use crate::telemetry::Route;
use crate::tuf::Digest;
use http::Method;

fn get(routes: &Routes, path: &str) -> Resource {
    routes.resource(&Method::GET, path)
}

fn nginx() -> Routes {
    Routes::new("/simple/", "/tuf/")
}

fn devpi() -> Routes {
    Routes::new("/alice/prod/+simple/", "/tuf/")
}

fn page(name: &str) -> Resource {
    Resource::Page(ProjectName::parse(name).unwrap())
}

fn moved(to: &str) -> Resource {
    Resource::Moved(to.into())
}

fn upstream_file(filename: &str, part: Part) -> Resource {
    Resource::UpstreamFile(Named { filename: filename.into(), part })
}

#[test]
fn pages_and_lists_of_every_kind_of_mirror() {
    for (simple, path, expected) in [
        ("/simple/", "/simple/", Resource::List),
        ("/simple/", "/simple", moved("simple/")),
        ("/simple/", "/simple//", moved("../../simple/")),
        ("/simple/", "/simple/demo-alpha/", page("demo-alpha")),
        ("/simple/", "/simple/demo%2Dalpha/", page("demo-alpha")),
        ("/simple/", "/simple/demo-alpha", moved("../simple/demo-alpha/")),
        ("/simple/", "/simple/Demo_alpha/", moved("../../simple/demo-alpha/")),
        ("/simple/", "/simple//demo-alpha/", moved("../../../simple/demo-alpha/")),
        ("/simple/", "/simple%2Fdemo-alpha/", moved("../simple/demo-alpha/")),
        ("/simple/", "/x/../simple/demo-alpha/", moved("../../../../simple/demo-alpha/")),
        ("/simple/", "/simple/demo-alpha/index.html", moved("../../simple/demo-alpha/")),
        ("/simple/", "/simple/demo-alpha/index.v1_json", moved("../../simple/demo-alpha/")),
        ("/simple/", "/simple/-/", Resource::Missing(Route::Page)),
        ("/alice/prod/+simple/", "/alice/prod/+simple/", Resource::List),
        ("/alice/prod/+simple/", "/alice/prod/%2Bsimple/demo-alpha/", page("demo-alpha")),
        ("/alice/prod/+simple/", "/alice/prod/+simple/demo-alpha/", page("demo-alpha")),
        ("/index/", "/index/demo-alpha/", page("demo-alpha")),
        ("/index/", "/health", Resource::Other),
        ("/", "/", Resource::List),
        ("/", "/demo-beta-pkg/", page("demo-beta-pkg")),
        ("/", "//demo-beta-pkg/", moved("../../demo-beta-pkg/")),
        ("/", "/demo-beta-pkg", moved("demo-beta-pkg/")),
        (
            "/api/v4/projects/g%2Fp/packages/pypi/simple/",
            "/api/v4/projects/g%2Fp/packages/pypi/simple/demo/",
            page("demo"),
        ),
    ] {
        assert_eq!(get(&Routes::new(simple, "/tuf/"), path), expected, "{simple} {path}");
    }
}

#[test]
fn files_at_the_mirrors_own_paths() {
    let wheel = "demo_alpha-1.1-py3-none-any.whl";
    for (routes, path, name, part) in [
        (nginx(), "/packages/65/9b/2180/demo_alpha-1.1-py3-none-any.whl", wheel, Part::Whole),
        (nginx(), "/packages//65/9b/2180/demo_alpha-1.1-py3-none-any.whl/", wheel, Part::Whole),
        (
            nginx(),
            "/packages/x/demo_alpha-1.1-py3-none-any.whl.metadata",
            wheel,
            Part::CoreMetadata,
        ),
        (nginx(), "/packages/x/demo_alpha-1.1-py3-none-any.whl.asc", wheel, Part::Signature),
        (
            nginx(),
            "/packages/x/demo_alpha-1.1-py3-none-any.whl.provenance",
            wheel,
            Part::Provenance,
        ),
        (nginx(), "/simple/demo-alpha/demo_alpha-1.1-py3-none-any.whl", wheel, Part::Whole),
        (nginx(), "/simple/demo_alpha-1.1-py3-none-any.whl", wheel, Part::Whole),
        (
            nginx(),
            "/packages/demo_beta_pkg-0.1%2Bcorp.2-py3-none-any.whl",
            "demo_beta_pkg-0.1+corp.2-py3-none-any.whl",
            Part::Whole,
        ),
        (
            nginx(),
            "/packages/demo_beta_pkg-0.1+corp.2-py3-none-any.whl",
            "demo_beta_pkg-0.1+corp.2-py3-none-any.whl",
            Part::Whole,
        ),
        (
            devpi(),
            "/alice/prod/+f/a30/572b0d9d2f4cc/demo_alpha-1.1-py3-none-any.whl",
            wheel,
            Part::Whole,
        ),
        (
            Routes::new("/", "/tuf/"),
            "/demo-beta-pkg/demo_beta_pkg-0.1-py3-none-any.whl",
            "demo_beta_pkg-0.1-py3-none-any.whl",
            Part::Whole,
        ),
        (nginx(), "/packages/demo_alpha-1.1-py3-none-any.whl;a=b", wheel, Part::Whole),
        (nginx(), "/packages/demo_alpha-1.1-py3-none-any.whl%3Bx/", wheel, Part::Whole),
        (nginx(), "/packages/x/demo-1.tar.lzma", "demo-1.tar.lzma", Part::Whole),
        (nginx(), "/PACKAGES/Demo-1.TAR.GZ", "Demo-1.TAR.GZ", Part::Whole),
    ] {
        assert_eq!(get(&routes, path), upstream_file(name, part), "{path}");
    }
}

#[test]
fn what_is_passed_through() {
    for path in [
        "/pypi/demo-alpha/json",
        "/rss/updates.xml",
        "/status",
        "/packages/",
        "/last-modified",
        "/integrity/demo-alpha/1.1/demo_alpha-1.1-py3-none-any.whl/provenance",
        "/project/demo/",
    ] {
        assert_eq!(get(&nginx(), path), Resource::Other, "{path}");
    }
    for path in ["/alice/prod/+api", "/+changelog/3-", "/alice/prod", "/+status", "/"] {
        assert_eq!(get(&devpi(), path), Resource::Other, "{path}");
    }
    for (method, path, expected) in [
        (Method::POST, "/", Resource::Upload),
        (Method::POST, "/simple/", Resource::Upload),
        (Method::PUT, "/repository/x/demo-1.whl", Resource::Upload),
        (Method::DELETE, "/simple/demo/", Resource::Other),
        (Method::OPTIONS, "*", Resource::Other),
        (Method::POST, "/tuf/metadata/timestamp.json", Resource::NotAllowed),
        (Method::HEAD, "/simple/demo/", page("demo")),
    ] {
        assert_eq!(nginx().resource(&method, path), expected, "{method} {path}");
    }
}

#[test]
fn pages_of_other_indexes() {
    for path in [
        "/root/other/+simple/demo/",
        "/root/other/+simple/demo",
        "/root/other/+simple/",
        "/simple/demo/",
        "/SIMPLE/demo/",
        "/simple;v=1/demo/",
        "/alice/prod/+simple;v=1/demo/",
        "/simple/demo/index.html",
        "/alice//prod/simple/demo/",
    ] {
        assert_eq!(get(&devpi(), path), Resource::Foreign, "{path}");
    }
}

#[test]
fn metadata_by_version() {
    let named = |version, role: &str| Resource::Metadata { version, role: role.into() };
    for (path, expected) in [
        ("/tuf/metadata/timestamp.json", Resource::Timestamp),
        ("/tuf//metadata/12.root.json", named(12, "root")),
        ("/tuf/metadata/1.bins-03ff.json", named(1, "bins-03ff")),
        ("/tuf/metadata/root.json", Resource::Missing(Route::Metadata)),
        ("/tuf/metadata/01.root.json", Resource::Missing(Route::Metadata)),
        ("/tuf/metadata/+1.root.json", Resource::Missing(Route::Metadata)),
        ("/tuf/metadata/1.a%2fb.json", Resource::Missing(Route::Metadata)),
        ("/tuf/metadata/99999999999999999999.root.json", Resource::Missing(Route::Metadata)),
        ("/tuf/../online.pem", Resource::Other),
        ("/tuf/", Resource::Missing(Route::Target)),
        ("/tuf%00/", Resource::Missing(Route::Passthrough)),
    ] {
        assert_eq!(get(&nginx(), path), expected, "{path}");
    }
    let other = Routes::new("/simple/", "/a/sig/");
    assert_eq!(get(&other, "/a/sig/metadata/timestamp.json"), Resource::Timestamp);
    assert_eq!(get(&other, "/tuf/metadata/timestamp.json"), Resource::Other);
}

#[test]
fn targets_with_their_hash_in_either_place() {
    let digest = Digest::of(b"x");
    let project = ProjectName::parse("demo").unwrap();
    let page = |pin| Resource::PageTarget { project: project.clone(), format: Format::Json, pin };
    let file = |part, pin| Resource::FileTarget {
        project: project.clone(),
        file: Named { filename: "demo-1.0+a.whl".into(), part },
        pin,
    };
    for (path, expected) in [
        ("simple/demo/vnd.pypi.simple.v1.json".to_owned(), page(None)),
        (format!("simple/demo/{digest}.vnd.pypi.simple.v1.json"), page(Some(digest))),
        (format!("{digest}.simple/demo/vnd.pypi.simple.v1.json"), page(Some(digest))),
        ("files/demo/demo-1.0%2Ba.whl".into(), file(Part::Whole, None)),
        (format!("files/demo/{digest}.demo-1.0+a.whl"), file(Part::Whole, Some(digest))),
        (format!("{digest}.files/demo/demo-1.0+a.whl"), file(Part::Whole, Some(digest))),
        ("files/demo/demo-1.0+a.whl.metadata".into(), file(Part::CoreMetadata, None)),
        ("files/demo/demo-1.0+a.whl.provenance".into(), file(Part::Provenance, None)),
        ("files/Demo/demo-1.0+a.whl".into(), Resource::Missing(Route::Target)),
        ("simple/demo/index.html".into(), Resource::Missing(Route::Target)),
        ("demo-1.0+a.whl".into(), Resource::Missing(Route::Target)),
    ] {
        assert_eq!(get(&nginx(), &format!("/tuf/targets/{path}")), expected, "{path}");
    }
}

proptest! {
    /// However a path is written, a distribution's name at its end is never passed through unseen.
    #[test]
    fn no_spelling_hides_a_distribution(
        folders in prop::collection::vec("[a-z%/.]{0,6}", 0..4),
        encoded in any::<bool>(),
    ) {
        let name = if encoded { "demo%2D1.0%2Ewhl" } else { "demo-1.0.whl" };
        let path = format!("/{}/{name}", folders.join("/"));
        let resource = get(&nginx(), &path);
        prop_assert!(!matches!(resource, Resource::Other | Resource::Foreign), "{path}: {resource:?}");
    }

    #[test]
    fn no_path_panics(path in ".{0,60}") {
        for method in [Method::GET, Method::POST] {
            let _ = nginx().resource(&method, &path);
            let _ = Routes::new("/", "/").resource(&method, &path);
        }
    }
}
