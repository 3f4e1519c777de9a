using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
[assembly: InternalsVisibleTo("Vivarium.Nodes.Tests")]
[assembly: InternalsVisibleTo("Vivarium.Actors.Tests")]
[assembly: InternalsVisibleTo("Vivarium.Dashboard.Tests")]
