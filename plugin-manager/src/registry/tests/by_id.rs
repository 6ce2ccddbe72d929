//! Plugins by id: one step at a time, for the identity that loaded them, and with a configuration that cannot be used.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::plugin::PluginState;
use crate::registry::PluginRegistry;
use crate::runtime::EngineKind;
use common::error::ForgeError;
use common::identity::{IdentityContext, PluginId};
use microkernel::trust::{PolicySource, TrustContext};
use std::path::PathBuf;

on_each_engine! {
    a_plugin_goes_through_its_states_one_step_at_a_time
    a_plugin_whose_init_or_start_fails_is_failed_and_gets_another_try
    what_is_ready_and_not_started_is_let_go_of
}

impl World {
    fn registry(&self) -> PluginRegistry {
        PluginRegistry::new_with_config(self.path("plugin-manager.yaml"))
    }
    fn file(&self, name: &str, guest: &Guest) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, guest.package()).unwrap();
        path
    }
}

fn load(
    registry: &mut PluginRegistry,
    file: &PathBuf,
    who: &IdentityContext,
) -> Result<PluginId, ForgeError> {
    registry.load_plugin(file, who, &TrustContext::new(who))
}

fn a_plugin_goes_through_its_states_one_step_at_a_time(kind: EngineKind) {
    let world = World::development(kind);
    let mut registry = world.registry();
    let who = IdentityContext::new("plugin-manager");
    let id = load(&mut registry, &world.file("a.forgepkg", &Guest::new("a")), &who).unwrap();
    let is = |registry: &PluginRegistry, state: PluginState| {
        assert_eq!(registry.status(id).unwrap().state, state.name());
    };
    is(&registry, PluginState::Stopped);
    registry.initialize_plugin(id).unwrap();
    is(&registry, PluginState::Ready);
    assert_eq!(code(registry.initialize_plugin(id)), "E5002");
    assert_eq!(code(registry.pause_plugin(id)), "E5002");
    assert_eq!(code(registry.stop_plugin(id)), "E5002");
    assert_eq!(code(registry.call(id, "echo", b"x".to_vec())), "E5003");
    registry.start_plugin(id).unwrap();
    is(&registry, PluginState::Running);
    assert_eq!(registry.call(id, "echo", b"x".to_vec()).unwrap(), b"x");
    assert_eq!(code(registry.initialize_plugin(id)), "E5002");
    registry.pause_plugin(id).unwrap();
    assert_eq!(code(registry.initialize_plugin(id)), "E5002");
    assert_eq!(code(registry.call(id, "echo", vec![])), "E5003");
    registry.resume_plugin(id).unwrap();
    registry.stop_plugin(id).unwrap();
    is(&registry, PluginState::Stopped);
    registry.start_plugin(id).unwrap();
    assert_eq!(registry.plugins().unwrap(), [(id, "a".to_owned())]);
    registry.unload_plugin(id).unwrap();
    assert_eq!(code(registry.status(id)), "E5001");
    assert_eq!(code(registry.unload_plugin(id)), "E5001");
    let host = registry.manager().unwrap();
    let steps = [("init", 2), ("ready", 2), ("start", 3), ("pause", 1), ("stopped", 2), ("unload", 1)];
    for (step, times) in steps {
        let action = format!("\"action\":\"{step}\"");
        assert_eq!(world.recorded(host, &["\"lifecycle\"", &action]), times, "{step}");
    }
    registry.shutdown().unwrap();
}

fn a_plugin_whose_init_or_start_fails_is_failed_and_gets_another_try(kind: EngineKind) {
    let world = World::development(kind);
    let mut registry = world.registry();
    let who = IdentityContext::operator("ada");
    let fails = |function: &str| {
        let good = format!("(export \"{function}\") (result i32) i32.const 0");
        GOOD.replace(&good, &format!("(export \"{function}\") (result i32) i32.const 7"))
    };
    let (no_init, no_start) = (Guest::new("a").body(&fails("init")), Guest::new("b").body(&fails("start")));
    let a = load(&mut registry, &world.file("a", &no_init), &who).unwrap();
    let b = load(&mut registry, &world.file("b", &no_start), &who).unwrap();
    let is = |id: PluginId| registry.status(id).unwrap().state;
    for _ in 0..2 {
        assert_eq!((code(registry.initialize_plugin(a)), is(a).as_str()), ("E4002", "Failed"));
        registry.initialize_plugin(b).unwrap();
        assert_eq!(is(b), "Ready");
        assert_eq!((code(registry.start_plugin(b)), is(b).as_str()), ("E4002", "Failed"));
        assert_eq!(code(registry.call(b, "echo", vec![])), "E5003");
    }
}

fn what_is_ready_and_not_started_is_let_go_of(kind: EngineKind) {
    let world = World::development(kind);
    let mut registry = world.registry();
    let who = IdentityContext::operator("ada");
    let file = world.file("a.forgepkg", &Guest::new("a"));
    let id = load(&mut registry, &file, &who).unwrap();
    registry.initialize_plugin(id).unwrap();
    registry.shutdown().unwrap();
    let mut registry = world.registry();
    assert_eq!(load(&mut registry, &file, &who).unwrap(), id, "the same package is the same plugin");
    assert_eq!(registry.status(id).unwrap().state, "Stopped", "that is no fault of the plugin");
    registry.initialize_plugin(id).unwrap();
    registry.unload_plugin(id).unwrap();
    let host = registry.manager().unwrap();
    let let_go = ["\"action\":\"fail\"", "\"from\":\"Ready\"", "\"to\":\"Failed\""];
    assert_eq!(world.recorded(host, &let_go), 2);
    assert_eq!(world.recorded(host, &["\"from\":\"Failed\"", "\"to\":\"Unloaded\""]), 1);
}

#[test]
fn who_loads_a_plugin_is_judged_and_recorded_in_this_and_each_later_step() {
    let world = World::development(crate::runtime::available()[0]);
    let mut registry = world.registry();
    let (ada, bob) =
        (IdentityContext::operator("ada").with_role("release"), IdentityContext::operator("bob"));
    let file = world.file("a.forgepkg", &Guest::new("a"));
    let text = r#"forbid(principal, action == Action::"install", resource) unless { principal in Role::"release" };
        forbid(principal == Operator::"ada", action == Action::"pause", resource);"#;
    let host = registry.manager().unwrap().clone();
    let policy = PolicySource { name: "release.cedar".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();

    assert_eq!(code(load(&mut registry, &file, &bob)), "E2001");
    let plain = IdentityContext::operator("ada");
    assert_eq!(code(load(&mut registry, &file, &plain)), "E2001", "the role is what permits it");
    assert_eq!(code(registry.load_plugin(&file, &plain, &TrustContext::new(&ada))), "E0101");
    assert_eq!(code(registry.load_plugin(&file, &ada, &TrustContext::new(&bob))), "E0101");
    assert_eq!(registry.plugins().unwrap(), [], "nothing was installed");

    let id = load(&mut registry, &file, &ada).unwrap();
    assert_eq!(code(load(&mut registry, &file, &bob)), "E2001", "a second time is judged as the first");
    registry.start_plugin(id).unwrap();
    assert_eq!(code(registry.pause_plugin(id)), "E2001");
    host.pause("a").unwrap();
    let by = |who: &str, action: &str| {
        let who = world.pseudonym(who);
        world.recorded(&host, &["\"management\"", &format!("\"action\":\"{action}\""), &who])
    };
    assert_eq!((by("ada", "install"), by("ada", "start"), by("ada", "pause")), (2, 1, 1));
    assert_eq!((by("bob", "install"), by("embedder", "pause"), by("embedder", "install")), (2, 1, 0));
}

#[test]
fn who_may_not_stop_plugins_does_not_shut_the_host_down_for_all() {
    let world = World::development(crate::runtime::available()[0]);
    let mut registry = world.registry();
    let host = registry.manager().unwrap().clone();
    let opener = IdentityContext::operator("embedder");
    let file = world.file("a.forgepkg", &Guest::new("a"));
    let id = load(&mut registry, &file, &opener).unwrap();
    registry.start_plugin(id).unwrap();
    let text = r#"forbid(principal == Operator::"bob", action, resource);"#;
    let policy = PolicySource { name: "bob.cedar".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();
    let bob = host.acting_as(&TrustContext::new(&IdentityContext::operator("bob")));
    assert_eq!(code(bob.shutdown()), "E2001");
    assert_eq!(world.recorded(&host, &["\"action\":\"stop\"", &world.pseudonym("bob"), "E2001"]), 1);
    assert_eq!(host.status("a").unwrap().state, "Running");
    host.shutdown().unwrap();
}

#[test]
fn a_step_that_is_permitted_is_answered_to_whoever_may_not_read() {
    let world = World::development(crate::runtime::available()[0]);
    let mut registry = world.registry();
    let host = registry.manager().unwrap().clone();
    let file = world.file("a.forgepkg", &Guest::new("a"));
    load(&mut registry, &file, &IdentityContext::operator("embedder")).unwrap();
    let text = r#"forbid(principal == Operator::"ada", action == Action::"read", resource);"#;
    let policy = PolicySource { name: "ada.cedar".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();
    let ada = host.acting_as(&TrustContext::new(&IdentityContext::operator("ada")));
    assert_eq!(ada.start("a").unwrap().state, "Running");
    assert_eq!(ada.stop("a").unwrap().desired, "stopped");
    assert_eq!(code(ada.status("a")), "E2001");
    assert_eq!(
        world.recorded(&host, &["\"action\":\"read\"", &world.pseudonym("ada")]),
        1,
        "of `status` alone"
    );
}

#[test]
fn whoever_is_denied_everything_is_shown_and_given_nothing() {
    let world = World::development(crate::runtime::available()[0]);
    let mut registry = world.registry();
    let host = registry.manager().unwrap().clone();
    let file = world.file("a.forgepkg", &Guest::new("a"));
    load(&mut registry, &file, &IdentityContext::operator("embedder")).unwrap();
    let text = r#"forbid(principal == Operator::"bob", action, resource);"#;
    let policy = PolicySource { name: "bob.cedar".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();
    let bob = host.acting_as(&TrustContext::new(&IdentityContext::operator("bob")));
    let answers = [
        code(bob.kernel().map(drop)),
        code(bob.trust_of("a").map(drop)),
        code(bob.settings("a").map(drop)),
        code(bob.dependencies(&[]).map(drop)),
        code(bob.logs("a", 1).map(drop)),
        code(bob.list().map(drop)),
        code(PluginRegistry::over(bob.clone()).plugins().map(drop)),
    ];
    assert_eq!(answers, ["E2001"; 7]);
    assert_eq!(world.recorded(&host, &["\"management\"", &world.pseudonym("bob"), "E2001"]), 7);
}

#[test]
fn two_operators_who_call_in_turns_are_each_judged() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let bob = host.acting_as(&TrustContext::new(&IdentityContext::operator("bob")));
    let text = r#"forbid(principal == Operator::"bob", action == Action::"call", resource);"#;
    let policy = PolicySource { name: "bob.cedar".into(), text: text.into() };
    host.host().parts().bridge.evaluator().publish(&[policy]).unwrap();
    let mut handle = bob.handle("a").unwrap().operation("echo").unwrap();
    for _ in 0..3 {
        host.call("a", "echo", vec![]).unwrap();
        assert_eq!(code(bob.call("a", "echo", vec![])), "E2001");
        assert_eq!(code(handle.call(&mut vec![], &mut vec![])), "E2001");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_the_error_of_each_later_call() {
    let who = IdentityContext::new("plugin-manager");
    let world = World::configured("  max_plugin: 3\n");
    let missing = world.path("none.yaml");
    let files = [(world.path("plugin-manager.yaml"), "E0102"), (missing, "E0002")];
    for (file, expected) in files {
        let mut registry = PluginRegistry::new_with_config(&file);
        let id = PluginId::new(&"acme".parse().unwrap(), &"a".parse().unwrap());
        for _ in 0..2 {
            assert_eq!(code(load(&mut registry, &world.path("a.forgepkg"), &who)), expected);
        }
        let steps =
            [PluginRegistry::initialize_plugin, PluginRegistry::start_plugin, PluginRegistry::stop_plugin];
        assert!(steps.iter().all(|step| code(step(&registry, id)) == expected));
        assert_eq!(code(registry.manager().map(drop)), expected);
        assert_eq!(code(PluginRegistry::open(&file).map(drop)), expected);
        assert_eq!(code(registry.shutdown()), expected);
        assert!(!world.path("state.redb").exists(), "nothing was made of a home");
    }
}

#[test]
fn what_is_no_package_file_is_refused_and_changes_nothing() {
    let world = World::development(crate::runtime::available()[0]);
    let mut registry = world.registry();
    let who = IdentityContext::new("plugin-manager");
    let large = world.path("large");
    std::fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(code(load(&mut registry, &world.path("none"), &who)), "E0002");
    assert_eq!(code(load(&mut registry, &world.path("audit"), &who)), "E0104");
    assert_eq!(code(load(&mut registry, &large, &who)), "E1001");
    assert_eq!(registry.plugins().unwrap(), []);
}
