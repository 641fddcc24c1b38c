use std::fs;

use tempfile::TempDir;

use super::*;

/// A home folder with a project in it.
struct World {
    home: TempDir,
    variables: Variables,
}

impl World {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir_all(home.path().join("work/app/src")).unwrap();
        let variables = [
            ("HOME".to_owned(), home.path().to_str().unwrap().to_owned()),
            // Not the machine's own.
            ("XDG_CONFIG_DIRS".to_owned(), home.path().join("etc").to_str().unwrap().to_owned()),
        ];
        Self { home, variables: variables.into() }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        let value = value.replace('~', self.home.path().to_str().unwrap());
        self.variables.insert(name.into(), value);
        self
    }

    /// What is said of files below the home folder, which is `~`: the machine may have its own.
    fn said(&self, tool: Tool) -> Vec<String> {
        let gateway = "http://127.0.0.1:17001/simple/".parse().unwrap();
        let folder = self.home.path().join("work/app");
        let program = self.home.path().join("venv/bin/pip");
        let around = Surroundings {
            tool,
            variables: &self.variables,
            folder: &folder,
            program: Some(&program),
            gateway: &gateway,
        };
        let home = self.home.path().to_str().unwrap();
        let said = around.bypasses().into_iter().map(|bypass| bypass.to_string());
        said.filter(|line| line.contains(home)).map(|line| line.replace(home, "~")).collect()
    }
}

fn starts(said: &[String], expected: &[&str]) {
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, start) in said.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn pip_conf() {
    let world = World::new()
        .with("etc/pip/pip.conf", "[global]\nno-index = 1\n")
        .with(".config/pip/pip.conf", "[global]\nindex-url = https://a.example\nproxy = http://ann:hunter2@p.example\n")
        .with("venv/pyvenv.cfg", "")
        .with("venv/pip.conf", "[install]\nextra-index-url =\n  https://ann:hunter2@b.example/simple\n  http://127.0.0.1:17001/x\n")
        .with("mine.conf", "[global]\nfind-links = /srv\n")
        .set("PIP_CONFIG_FILE", "~/mine.conf");
    let expected = [
        "no-index in ~/etc/pip/pip.conf has no index asked",
        "proxy in ~/.config/pip/pip.conf has the gateway asked through the proxy http://***@p.example",
        "extra-index-url in ~/venv/pip.conf names another source of packages (https://***@b.example/simple",
        "find-links in ~/mine.conf",
    ];
    starts(&world.said(Tool::Pip), &expected);
    starts(&world.said(Tool::Pipenv), &expected);
    starts(&world.said(Tool::Uv), &[]);
    starts(&world.set("PIP_CONFIG_FILE", "/dev/null").said(Tool::Pip), &[]);
}

#[test]
fn files_that_pip_conf_names() {
    let world = World::new()
        .with("mine.conf", "[install]\nconstraint = c.txt\nrequirement =\n  none.txt\n  r.txt\n")
        .with("work/app/c.txt", "--index-url https://a.example\n")
        .with("work/app/r.txt", "--extra-index-url https://b.example\n")
        .set("PIP_CONFIG_FILE", "~/mine.conf");
    let expected = [
        "--index-url in ~/work/app/c.txt has https://a.example",
        "--extra-index-url in ~/work/app/r.txt names another source",
    ];
    starts(&world.said(Tool::Pip), &expected);
    starts(&world.said(Tool::Uv), &[]);
}

#[test]
fn uv_toml_and_pyproject() {
    let project = "[project]\nname = 'app'\n[tool.uv]\nno-index = true\nindex-url = 'https://no.example'\n\
[[tool.uv.index]]\nname = 'main'\nurl = 'https://no.example'\ndefault = true\n\
[[tool.uv.index]]\nname = 'other'\nurl = 'https://b.example'\nexplicit = true\n";
    let world = World::new()
        .with(
            ".config/uv/uv.toml",
            "http-proxy = 'http://p.example'\n[pip]\nextra-index-url = ['https://a.example']\n",
        )
        .with("work/uv.toml", "find-links = ['/srv']\ntorch-backend = 'auto'\n")
        .with("work/app/pyproject.toml", project);
    let expected = [
        "http-proxy in ~/.config/uv/uv.toml has the gateway asked through",
        "pip.extra-index-url in ~/.config/uv/uv.toml names another source of packages (https://a.example)",
        "find-links in ~/work/uv.toml",
        "torch-backend in ~/work/uv.toml",
        "index in ~/work/app/pyproject.toml names another source of packages (https://b.example)",
        "no-index in ~/work/app/pyproject.toml",
    ];
    starts(&world.said(Tool::Uv), &expected);
    starts(&world.said(Tool::Pip), &[]);
    starts(&world.set("UV_NO_CONFIG", "1").said(Tool::Uv), &[]);
}

#[test]
fn a_default_index_counts_where_packages_are_pinned_to_it() {
    let index = "[[index]]\nname = 'main'\nurl = 'https://a.example'\ndefault = true\n";
    for (sources, count) in [
        ("", 0),
        ("[sources]\nsix = { index = 'other' }\n", 0),
        ("[sources]\nsix = { index = 'main' }\n", 1),
        ("[sources]\nsix = [{ index = 'main', marker = 'x' }]\n", 1),
    ] {
        let world = World::new().with("work/app/uv.toml", &format!("{index}{sources}"));
        assert_eq!(world.said(Tool::Uv).len(), count, "{sources}");
    }
}

#[test]
fn pdm() {
    let world = World::new()
        .with(".config/pdm/config.toml", "[pypi]\nurl = 'https://no.example'\n[pypi.extra]\nurl = 'https://a.example'\n")
        .with(
            "work/app/pyproject.toml",
            "[[tool.pdm.source]]\nname = 'pypi'\nurl = 'https://b.example'\n[[tool.pdm.source]]\nname = 'x'\nurl = 'https://c.example'\n",
        );
    let expected = [
        "pypi.extra in ~/.config/pdm/config.toml names another source of packages (https://a.example)",
        "tool.pdm.source in ~/work/app/pyproject.toml has https://b.example asked instead",
        "tool.pdm.source in ~/work/app/pyproject.toml names another source of packages (https://c.example)",
    ];
    starts(&world.said(Tool::Pdm), &expected);
}

#[test]
fn pipfile() {
    let pipfile = "[[source]]\nurl = 'https://pypi.org/simple'\nname = 'pypi'\n\
[[source]]\nurl = 'https://$USER:$PASSWORD@a.example/simple'\nname = 'a'\n\
[[source]]\nurl = 'http://127.0.0.1:17001/simple/'\nname = 'b'\n";
    let lock = r#"{"_meta": {"sources": [{"url": "https://pypi.org/simple"}, {"url": "https://b.example"}]}}"#;
    let world = World::new().with("work/Pipfile", pipfile).with("work/Pipfile.lock", lock);
    let expected = [
        "source in ~/work/Pipfile has https://***@a.example/simple asked instead",
        "source in ~/work/Pipfile.lock has https://b.example asked instead",
    ];
    starts(&world.said(Tool::Pipenv), &expected);
}

#[test]
fn an_unknown_command_may_start_any_tool() {
    let world = World::new()
        .with(".pip/pip.conf", "[global]\nno-index = yes\n")
        .with(".config/uv/uv.toml", "no-index = true\n");
    assert_eq!(world.said(Tool::Other).len(), 2);
    let broken =
        World::new().with("work/app/pyproject.toml", "[tool.uv\n").with("work/app/uv.toml", "x");
    starts(&broken.said(Tool::Other), &[]);
}
