//! How the picture looks on light and on dark pages, without anything from elsewhere.

/// The style sheet. Every colour of the light page has its counterpart for the dark one.
pub const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}
.page{fill:#fbfcfd}
.box{fill:#ffffff;stroke:#b8c4ce;stroke-width:1.2}
.name{font-size:13px;font-weight:600}
.more{font-size:11px;fill:#5f6f7d}
.offered .box{fill:#eef5fe;stroke:#1f6fd0;stroke-width:1.8}
.offered .more{fill:#1f6fd0}
.host .box{fill:#e9edf0;stroke:#e9edf0}
.host .name{font-weight:500;fill:#51606c}
.missing .box{fill:#fdf1f0;stroke:#c62828;stroke-width:1.4;stroke-dasharray:5 4}
.missing .name,.missing .more{fill:#c62828}
.edge{fill:none;stroke:#8a9aa8;stroke-width:1.3}
.head{fill:#8a9aa8}
.edge.tohost{stroke:#c3ccd4}
.head.tohost{fill:#c3ccd4}
.edge.unmet{stroke:#c62828;stroke-width:1.6;stroke-dasharray:6 4}
.edge.circular{stroke:#c62828;stroke-width:1.6}
.head.unmet,.head.circular{fill:#c62828}
.label{font-size:10px;fill:#5f6f7d;paint-order:stroke;stroke:#fbfcfd;stroke-width:3px;stroke-linejoin:round}
.label.unmet,.label.circular{fill:#c62828;font-weight:600}
.title{font-size:15px;font-weight:600}
.sum,.legend{font-size:11px;font-weight:400;fill:#5f6f7d}
@media (prefers-color-scheme:dark){
text{fill:#e4e9ee}
.page{fill:#14181d}
.box{fill:#1f262e;stroke:#47545f}
.more{fill:#9fb0be}
.offered .box{fill:#16283d;stroke:#6aaef7}
.offered .more{fill:#8fc3fa}
.host .box{fill:#2a323a;stroke:#2a323a}
.host .name{fill:#b7c3cd}
.missing .box{fill:#331c1e;stroke:#ff7b72}
.missing .name,.missing .more{fill:#ff9a93}
.edge{stroke:#6f7f8d}
.head{fill:#6f7f8d}
.edge.tohost{stroke:#414d58}
.head.tohost{fill:#414d58}
.edge.unmet,.edge.circular{stroke:#ff7b72}
.head.unmet,.head.circular{fill:#ff7b72}
.label{fill:#9fb0be;stroke:#14181d}
.label.unmet,.label.circular{fill:#ff9a93}
.sum,.legend{fill:#9fb0be}
}
";
