//! The plugins of a host as other code of the process asks the kernel for them: decided and recorded for who asks.

use super::{Guest, World, on_each_engine};
use crate::runtime::EngineKind;
use common::error::Coded;
use common::identity::IdentityContext;
use microkernel::trust::TrustContext;

on_each_engine! { plugins_are_operated_for_whoever_asks }

fn plugins_are_operated_for_whoever_asks(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), false).unwrap();
    let kernel = host.kernel().unwrap();
    let port = kernel.plugins().unwrap();
    let ada = TrustContext::new(&IdentityContext::operator("ada"));
    let plugin = host.trust_of("a").unwrap();
    assert_eq!(port.state("a", &ada).unwrap().state, "Stopped");
    assert_eq!(port.spawn("a", &ada).unwrap().state, "Running");
    assert_eq!(port.spawn("a", &ada).unwrap().state, "Running", "it runs already");
    host.call("a", "echo", vec![]).unwrap();
    let anew = port.restart("a", &ada).unwrap();
    assert_eq!((anew.state.as_str(), anew.desired.as_str()), ("Running", "running"));
    assert_eq!(host.status("a").unwrap().calls, 0, "it was made anew");
    assert_eq!(port.shut_down("a", &ada).unwrap().desired, "stopped");
    assert_eq!(port.shut_down("a", &ada).unwrap().state, "Stopped");
    assert_eq!(port.list(&ada).unwrap().len(), 1);
    assert_eq!(port.state("b", &ada).unwrap_err().code().id, "E5001");
    assert_eq!(port.spawn("a", &plugin).unwrap_err().code().id, "E2002", "plugins manage nobody");
    assert_eq!(port.state("a", &ada).unwrap().state, "Stopped");
    assert_eq!(
        world.recorded(&host, &["\"action\":\"start\"", &world.pseudonym("ada"), "\"outcome\":\"ok\""]),
        2
    );
}
