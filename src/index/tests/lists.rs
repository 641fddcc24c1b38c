//! Odd and hostile project lists.

use super::*;

fn list(body: &str, format: Format) -> Result<ProjectList, ParseError> {
    let url = Url::parse("https://index.example/root/simple/").unwrap();
    parse_list(body.as_bytes(), Some(format.content_type()), &url)
}

fn names(list: ProjectList) -> Vec<String> {
    list.projects.into_iter().map(|project| project.name.into()).collect()
}

#[test]
fn json_lists_are_sorted_and_unique() {
    let list = list(
        r#"{"projects":[{"name":"B.b","_last-serial":"7"},{"name":"a","_last-serial":3.0},{"name":"b_b","_last-serial":9},
           {"name":"../x"},{"name":"c","_last-serial":null,"more":[1]}],"meta":{"_last-serial":"12","api-version":"1.4"},"x":{}}"#,
        Format::Json,
    )
    .unwrap();
    assert_eq!((list.skipped, list.last_serial), (1, Some(12)));
    let serials: Vec<_> = list.projects.iter().map(|p| (p.name.as_str(), p.serial)).collect();
    assert_eq!(serials, [("a", Some(3)), ("b-b", Some(9)), ("c", None)]);
}

#[test]
fn html_lists_take_the_folders_beside_them() {
    let list = list(
        r#"<html><body><a href="a/">A</a><a href="/simple/B.b/">b</a><a href="../simple/c">c</a><a href="https://o.example/simple/d/">d</a>
           <a href="../">up</a><a href="/">top</a><a href="/other/e/">e</a><a href="f%2F/">f</a><a href="./">self</a></body></html>"#,
        Format::Html,
    )
    .unwrap();
    assert_eq!(list.skipped, 1);
    assert_eq!(names(list), ["a", "b-b", "c", "d"]);
}

#[test]
fn what_is_no_list_is_refused() {
    for body in [
        "{}",
        "[]",
        r#"{"projects":{}}"#,
        r#"{"projects":[{}]}"#,
        r#"{"projects":[1]}"#,
        r#"{"projects":[],"projects":[]}"#,
        r#"{"projects":[{"name":"a"}"#,
        r#"{"meta":{"api-version":"2.0"},"projects":[]}"#,
    ] {
        assert!(list(body, Format::Json).is_err(), "{body}");
    }
    for body in ["", "<html><body>hello</body></html>", r#"<html><body><a href="a/">a</a>"#] {
        assert!(list(body, Format::Html).is_err(), "{body}");
    }
    let empty = "<html><head><title>Simple index</title></head><body></body></html>";
    assert_eq!(names(list(empty, Format::Html).unwrap()), [""; 0]);
    assert_eq!(names(list(r#"{"projects":[]}"#, Format::Json).unwrap()), [""; 0]);
}

#[test]
fn a_large_list_is_read_and_a_larger_one_refused() {
    let body = |n: usize| {
        let entries: Vec<_> = (0..n).map(|i| format!(r#"{{"name":"p{i}"}}"#)).collect();
        format!(r#"{{"meta":{{"api-version":"1.0"}},"projects":[{}]}}"#, entries.join(","))
    };
    assert_eq!(list(&body(100_000), Format::Json).unwrap().projects.len(), 100_000);
    assert!(matches!(list(&body(2_000_001), Format::Json), Err(ParseError::TooMany { .. })));
}
