using System.Runtime.Versioning;
using Xunit;

[assembly: SupportedOSPlatform("linux")]
// One browser, on few cores: what waits for it would only wait longer.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
