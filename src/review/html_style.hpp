// The style sheet of the HTML report.
#pragma once

namespace confab::review {

inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--text:#1d2126;--soft:#5d6670;--line:#e2e4e7;--band:#f3f4f6;--s0:#0f766e;--s1:#c2410c;
--good:#15803d;--fair:#a16207;--poor:#c2410c;--bad:#b91c1c}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--text:#e6e8ea;--soft:#9aa4ae;--line:#31373d;--band:#21262b;--s0:#2dd4bf;
--s1:#fb923c;--good:#4ade80;--fair:#facc15;--poor:#fb923c;--bad:#f87171}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 12px}h3{font-size:16px;margin:20px 0 8px}
p{margin:0 0 10px}.soft{color:var(--soft)}.small{font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px;margin:20px 0}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:0;min-width:0}
.name{font-weight:600;display:flex;align-items:center;gap:8px;overflow-wrap:anywhere}
.swatch{width:11px;height:11px;border-radius:3px;display:inline-block;flex:none}.f0{background:var(--s0)}.f1{background:var(--s1)}
.big{font-size:46px;font-weight:650;line-height:1.1;margin:8px 0 2px;font-variant-numeric:tabular-nums}.big small{font-size:17px;font-weight:400;color:var(--soft)}
.bars{display:grid;grid-template-columns:auto 1fr 2.6em;gap:6px 10px;align-items:center;margin-top:12px;font-size:13px}
.bar{height:8px;border-radius:4px;background:var(--band);overflow:hidden}.bar i{display:block;height:100%;border-radius:4px;min-width:2px}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.c-good{color:var(--good)}.c-fair{color:var(--fair)}.c-poor{color:var(--poor)}.c-bad{color:var(--bad)}
.b-good{background:var(--good)}.b-fair{background:var(--fair)}.b-poor{background:var(--poor)}.b-bad{background:var(--bad)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px;background:var(--card)}
table{border-collapse:collapse;width:100%;min-width:640px;font-size:14px}
th,td{padding:8px 12px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}tr:last-child td{border-bottom:0}
th{font-weight:600;font-size:13px;color:var(--soft)}td.num b{margin-left:8px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:16px}figure.wide{grid-column:1/-1;overflow-x:auto}
svg.plot{width:100%;height:auto;display:block}svg.wide{min-width:640px}
svg text{font-size:11px;fill:var(--soft)}svg .title{font-size:13px;font-weight:600;fill:var(--text)}
svg .y{text-anchor:end}svg .x,svg .label{text-anchor:middle}svg .phase{font-size:10px}
svg .grid{stroke:var(--line)}svg .band{fill:transparent}svg .odd{fill:var(--band)}
svg path{fill:none;stroke-width:2;stroke-linejoin:round}svg path.s0{stroke:var(--s0)}svg path.s1{stroke:var(--s1)}
svg circle.s0{fill:var(--s0)}svg circle.s1{fill:var(--s1)}
ol,ul{padding-left:1.4em}li{margin:0 0 10px}details{margin-top:12px}summary{cursor:pointer;color:var(--soft)}
code{font:13px ui-monospace,monospace}
@media (max-width:500px){main{padding:20px 12px 48px}.big{font-size:38px}th,td{padding:7px 9px}}
@media print{body{background:#fff}.card,figure,.scroll{break-inside:avoid}}
)css";

}  // namespace confab::review
