using System.Runtime.Versioning;
using Xunit;

[assembly: SupportedOSPlatform("linux")]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
