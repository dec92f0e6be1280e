"""Columns of the `_cat` tables that show statistics. `-`: only on request; `>`: aligned to the right."""

from __future__ import annotations

from quidditch.rest.cat_table import columns

INDICES = columns(
    """
    health | h | current health status
    status | s | open/close status
    index | i,idx | index name
    uuid | id,uuid | index uuid
    > pri | p,shards.primary,shardsPrimary | number of primary shards
    > rep | r,shards.replica,shardsReplica | number of replica shards
    > docs.count | dc,docsCount | available docs
    > docs.deleted | dd,docsDeleted | deleted docs
    - creation.date | cd | index creation date (millisecond value)
    - creation.date.string | cds | index creation date (as string)
    > store.size | ss,storeSize | store size of primaries & replicas
    > pri.store.size | | store size of primaries
    -> completion.size | cs,completionSize | size of completion
    -> pri.completion.size | | size of completion
    -> fielddata.memory_size | fm,fielddataMemory | used fielddata cache
    -> pri.fielddata.memory_size | | used fielddata cache
    -> fielddata.evictions | fe,fielddataEvictions | fielddata evictions
    -> pri.fielddata.evictions | | fielddata evictions
    -> query_cache.memory_size | qcm,queryCacheMemory | used query cache
    -> pri.query_cache.memory_size | | used query cache
    -> query_cache.evictions | qce,queryCacheEvictions | query cache evictions
    -> pri.query_cache.evictions | | query cache evictions
    -> request_cache.memory_size | rcm,requestCacheMemory | used request cache
    -> pri.request_cache.memory_size | | used request cache
    -> request_cache.evictions | rce,requestCacheEvictions | request cache evictions
    -> pri.request_cache.evictions | | request cache evictions
    -> request_cache.hit_count | rchc,requestCacheHitCount | request cache hit count
    -> pri.request_cache.hit_count | | request cache hit count
    -> request_cache.miss_count | rcmc,requestCacheMissCount | request cache miss count
    -> pri.request_cache.miss_count | | request cache miss count
    -> flush.total | ft,flushTotal | number of flushes
    -> pri.flush.total | | number of flushes
    -> flush.total_time | ftt,flushTotalTime | time spent in flush
    -> pri.flush.total_time | | time spent in flush
    -> get.current | gc,getCurrent | number of current get ops
    -> pri.get.current | | number of current get ops
    -> get.time | gti,getTime | time spent in get
    -> pri.get.time | | time spent in get
    -> get.total | gto,getTotal | number of get ops
    -> pri.get.total | | number of get ops
    -> get.exists_time | geti,getExistsTime | time spent in successful gets
    -> pri.get.exists_time | | time spent in successful gets
    -> get.exists_total | geto,getExistsTotal | number of successful gets
    -> pri.get.exists_total | | number of successful gets
    -> get.missing_time | gmti,getMissingTime | time spent in failed gets
    -> pri.get.missing_time | | time spent in failed gets
    -> get.missing_total | gmto,getMissingTotal | number of failed gets
    -> pri.get.missing_total | | number of failed gets
    -> indexing.delete_current | idc,indexingDeleteCurrent | number of current deletions
    -> pri.indexing.delete_current | | number of current deletions
    -> indexing.delete_time | idti,indexingDeleteTime | time spent in deletions
    -> pri.indexing.delete_time | | time spent in deletions
    -> indexing.delete_total | idto,indexingDeleteTotal | number of delete ops
    -> pri.indexing.delete_total | | number of delete ops
    -> indexing.index_current | iic,indexingIndexCurrent | number of current indexing ops
    -> pri.indexing.index_current | | number of current indexing ops
    -> indexing.index_time | iiti,indexingIndexTime | time spent in indexing
    -> pri.indexing.index_time | | time spent in indexing
    -> indexing.index_total | iito,indexingIndexTotal | number of indexing ops
    -> pri.indexing.index_total | | number of indexing ops
    -> indexing.index_failed | iif,indexingIndexFailed | number of failed indexing ops
    -> pri.indexing.index_failed | | number of failed indexing ops
    -> merges.current | mc,mergesCurrent | number of current merges
    -> pri.merges.current | | number of current merges
    -> merges.current_docs | mcd,mergesCurrentDocs | number of current merging docs
    -> pri.merges.current_docs | | number of current merging docs
    -> merges.current_size | mcs,mergesCurrentSize | size of current merges
    -> pri.merges.current_size | | size of current merges
    -> merges.total | mt,mergesTotal | number of completed merge ops
    -> pri.merges.total | | number of completed merge ops
    -> merges.total_docs | mtd,mergesTotalDocs | docs merged
    -> pri.merges.total_docs | | docs merged
    -> merges.total_size | mts,mergesTotalSize | size merged
    -> pri.merges.total_size | | size merged
    -> merges.total_time | mtt,mergesTotalTime | time spent in merges
    -> pri.merges.total_time | | time spent in merges
    -> refresh.total | rto,refreshTotal | total refreshes
    -> pri.refresh.total | | total refreshes
    -> refresh.time | rti,refreshTime | time spent in refreshes
    -> pri.refresh.time | | time spent in refreshes
    -> refresh.external_total | rto,refreshTotal | total external refreshes
    -> pri.refresh.external_total | | total external refreshes
    -> refresh.external_time | rti,refreshTime | time spent in external refreshes
    -> pri.refresh.external_time | | time spent in external refreshes
    -> refresh.listeners | rli,refreshListeners | number of pending refresh listeners
    -> pri.refresh.listeners | | number of pending refresh listeners
    -> search.fetch_current | sfc,searchFetchCurrent | current fetch phase ops
    -> pri.search.fetch_current | | current fetch phase ops
    -> search.fetch_time | sfti,searchFetchTime | time spent in fetch phase
    -> pri.search.fetch_time | | time spent in fetch phase
    -> search.fetch_total | sfto,searchFetchTotal | total fetch ops
    -> pri.search.fetch_total | | total fetch ops
    -> search.open_contexts | so,searchOpenContexts | open search contexts
    -> pri.search.open_contexts | | open search contexts
    -> search.query_current | sqc,searchQueryCurrent | current query phase ops
    -> pri.search.query_current | | current query phase ops
    -> search.query_time | sqti,searchQueryTime | time spent in query phase
    -> pri.search.query_time | | time spent in query phase
    -> search.query_total | sqto,searchQueryTotal | total query phase ops
    -> pri.search.query_total | | total query phase ops
    -> search.query_failed | sqf,searchQueryFailed | failed query phase ops
    -> pri.search.query_failed | | failed query phase ops
    -> search.concurrent_query_current | scqc,searchConcurrentQueryCurrent | current concurrent query phase ops
    -> pri.search.concurrent_query_current | | current concurrent query phase ops
    -> search.concurrent_query_time | scqti,searchConcurrentQueryTime | time spent in concurrent query phase
    -> pri.search.concurrent_query_time | | time spent in concurrent query phase
    -> search.concurrent_query_total | scqto,searchConcurrentQueryTotal | total query phase ops
    -> pri.search.concurrent_query_total | | total query phase ops
    -> search.concurrent_avg_slice_count | casc,searchConcurrentAvgSliceCount | average query concurrency
    -> pri.search.concurrent_avg_slice_count | | average query concurrency
    -> search.scroll_current | scc,searchScrollCurrent | open scroll contexts
    -> pri.search.scroll_current | | open scroll contexts
    -> search.scroll_time | scti,searchScrollTime | time scroll contexts held open
    -> pri.search.scroll_time | | time scroll contexts held open
    -> search.scroll_total | scto,searchScrollTotal | completed scroll contexts
    -> pri.search.scroll_total | | completed scroll contexts
    -> search.point_in_time_current | scc,searchPointInTimeCurrent | open point in time contexts
    -> pri.search.point_in_time_current | | open point in time contexts
    -> search.point_in_time_time | scti,searchPointInTimeTime | time point in time contexts held open
    -> pri.search.point_in_time_time | | time point in time contexts held open
    -> search.point_in_time_total | scto,searchPointInTimeTotal | completed point in time contexts
    -> pri.search.point_in_time_total | | completed point in time contexts
    -> segments.count | sc,segmentsCount | number of segments
    -> pri.segments.count | | number of segments
    -> segments.memory | sm,segmentsMemory | memory used by segments
    -> pri.segments.memory | | memory used by segments
    -> segments.index_writer_memory | siwm,segmentsIndexWriterMemory | memory used by index writer
    -> pri.segments.index_writer_memory | | memory used by index writer
    -> segments.version_map_memory | svmm,segmentsVersionMapMemory | memory used by version map
    -> pri.segments.version_map_memory | | memory used by version map
    -> segments.fixed_bitset_memory | sfbm,fixedBitsetMemory | memory used by fixed bit sets for nested fields
    -> pri.segments.fixed_bitset_memory | | memory used by fixed bit sets for nested fields
    -> warmer.current | wc,warmerCurrent | current warmer ops
    -> pri.warmer.current | | current warmer ops
    -> warmer.total | wto,warmerTotal | total warmer ops
    -> pri.warmer.total | | total warmer ops
    -> warmer.total_time | wtt,warmerTotalTime | time spent in warmers
    -> pri.warmer.total_time | | time spent in warmers
    -> suggest.current | suc,suggestCurrent | number of current suggest ops
    -> pri.suggest.current | | number of current suggest ops
    -> suggest.time | suti,suggestTime | time spend in suggest
    -> pri.suggest.time | | time spend in suggest
    -> suggest.total | suto,suggestTotal | number of suggest ops
    -> pri.suggest.total | | number of suggest ops
    -> memory.total | tm,memoryTotal | total used memory
    -> pri.memory.total | | total user memory
    - search.throttled | sth | indicates if the index is search throttled
    -> last_index_request_timestamp | last_index_ts,lastIndexRequestTimestamp | last index request (ms)
    -> last_index_request_timestamp_string | last_index_ts_string,lastIndexRequestTimestampString | last index request
    """
)
SHARDS = columns(
    """
    index | i,idx | index name
    shard | s,sh | shard name
    prirep | p,pr,primaryOrReplica | primary or replica
    state | st | shard state
    > docs | d,dc | number of docs in shard
    > store | sto | store size of shard (how much disk it uses)
    ip | | ip of node where it lives
    - id | | unique id of node where it lives
    node | n | name of node where it lives
    - sync_id | sync_id | sync id
    - unassigned.reason | ur | reason shard is unassigned
    - unassigned.at | ua | time shard became unassigned (UTC)
    - unassigned.for | uf | time has been unassigned
    - unassigned.details | ud | additional details as to why the shard became unassigned
    - recoverysource.type | rs | recovery source type
    -> completion.size | cs,completionSize | size of completion
    -> fielddata.memory_size | fm,fielddataMemory | used fielddata cache
    -> fielddata.evictions | fe,fielddataEvictions | fielddata evictions
    -> query_cache.memory_size | qcm,queryCacheMemory | used query cache
    -> query_cache.evictions | qce,queryCacheEvictions | query cache evictions
    -> flush.total | ft,flushTotal | number of flushes
    -> flush.total_time | ftt,flushTotalTime | time spent in flush
    -> get.current | gc,getCurrent | number of current get ops
    -> get.time | gti,getTime | time spent in get
    -> get.total | gto,getTotal | number of get ops
    -> get.exists_time | geti,getExistsTime | time spent in successful gets
    -> get.exists_total | geto,getExistsTotal | number of successful gets
    -> get.missing_time | gmti,getMissingTime | time spent in failed gets
    -> get.missing_total | gmto,getMissingTotal | number of failed gets
    -> indexing.delete_current | idc,indexingDeleteCurrent | number of current deletions
    -> indexing.delete_time | idti,indexingDeleteTime | time spent in deletions
    -> indexing.delete_total | idto,indexingDeleteTotal | number of delete ops
    -> indexing.index_current | iic,indexingIndexCurrent | number of current indexing ops
    -> indexing.index_time | iiti,indexingIndexTime | time spent in indexing
    -> indexing.index_total | iito,indexingIndexTotal | number of indexing ops
    -> indexing.index_failed | iif,indexingIndexFailed | number of failed indexing ops
    -> merges.current | mc,mergesCurrent | number of current merges
    -> merges.current_docs | mcd,mergesCurrentDocs | number of current merging docs
    -> merges.current_size | mcs,mergesCurrentSize | size of current merges
    -> merges.total | mt,mergesTotal | number of completed merge ops
    -> merges.total_docs | mtd,mergesTotalDocs | docs merged
    -> merges.total_size | mts,mergesTotalSize | size merged
    -> merges.total_time | mtt,mergesTotalTime | time spent in merges
    -> refresh.total | rto,refreshTotal | total refreshes
    -> refresh.time | rti,refreshTime | time spent in refreshes
    -> refresh.external_total | rto,refreshTotal | total external refreshes
    -> refresh.external_time | rti,refreshTime | time spent in external refreshes
    -> refresh.listeners | rli,refreshListeners | number of pending refresh listeners
    -> search.fetch_current | sfc,searchFetchCurrent | current fetch phase ops
    -> search.fetch_time | sfti,searchFetchTime | time spent in fetch phase
    -> search.fetch_total | sfto,searchFetchTotal | total fetch ops
    -> search.open_contexts | so,searchOpenContexts | open search contexts
    -> search.query_current | sqc,searchQueryCurrent | current query phase ops
    -> search.query_time | sqti,searchQueryTime | time spent in query phase
    -> search.query_total | sqto,searchQueryTotal | total query phase ops
    -> search.concurrent_query_current | scqc,searchConcurrentQueryCurrent | current concurrent query phase ops
    -> search.concurrent_query_time | scqti,searchConcurrentQueryTime | time spent in concurrent query phase
    -> search.concurrent_query_total | scqto,searchConcurrentQueryTotal | total concurrent query phase ops
    -> search.concurrent_avg_slice_count | casc,searchConcurrentAvgSliceCount | average query concurrency
    -> search.scroll_current | scc,searchScrollCurrent | open scroll contexts
    -> search.scroll_time | scti,searchScrollTime | time scroll contexts held open
    -> search.scroll_total | scto,searchScrollTotal | completed scroll contexts
    -> search.point_in_time_current | spc,searchPointInTimeCurrent | open point in time contexts
    -> search.point_in_time_time | spti,searchPointInTimeTime | time point in time contexts held open
    -> search.point_in_time_total | spto,searchPointInTimeTotal | completed point in time contexts
    -> search.search_idle_reactivate_count_total | ssirct,searchSearchIdleReactivateCountTotal | reactivations
    -> segments.count | sc,segmentsCount | number of segments
    -> segments.memory | sm,segmentsMemory | memory used by segments
    -> segments.index_writer_memory | siwm,segmentsIndexWriterMemory | memory used by index writer
    -> segments.version_map_memory | svmm,segmentsVersionMapMemory | memory used by version map
    -> segments.fixed_bitset_memory | sfbm,fixedBitsetMemory | memory used by fixed bit sets for nested fields
    -> seq_no.max | sqm,maxSeqNo | max sequence number
    -> seq_no.local_checkpoint | sql,localCheckpoint | local checkpoint
    -> seq_no.global_checkpoint | sqg,globalCheckpoint | global checkpoint
    -> warmer.current | wc,warmerCurrent | current warmer ops
    -> warmer.total | wto,warmerTotal | total warmer ops
    -> warmer.total_time | wtt,warmerTotalTime | time spent in warmers
    - path.data | pd,dataPath | shard data path
    - path.state | ps,statsPath | shard state path
    -> docs.deleted | dd,docsDeleted | number of deleted docs in shard
    """
)
NODES = columns(
    """
    - id | id,nodeId | unique node id
    - pid | p | process id
    ip | i | ip address
    - port | po | bound transport port
    - http_address | http | bound http address
    - version | v | version
    - type | t | distribution type
    - build | b | build hash
    - jdk | j | jdk version
    -> disk.total | dt,diskTotal | total disk space
    -> disk.used | du,diskUsed | used disk space
    -> disk.avail | d,da,disk,diskAvail | available disk space
    -> disk.used_percent | dup,diskUsedPercent | used disk space percentage
    -> heap.current | hc,heapCurrent | used heap
    > heap.percent | hp,heapPercent | used heap ratio
    -> heap.max | hm,heapMax | max configured heap
    -> ram.current | rc,ramCurrent | used machine memory
    > ram.percent | rp,ramPercent | used machine memory ratio
    -> ram.max | rm,ramMax | total machine memory
    -> file_desc.current | fdc,fileDescriptorCurrent | used file descriptors
    -> file_desc.percent | fdp,fileDescriptorPercent | used file descriptor ratio
    -> file_desc.max | fdm,fileDescriptorMax | max file descriptors
    > cpu | cpu | recent cpu usage
    > load_1m | l | 1m load avg
    > load_5m | l | 5m load avg
    > load_15m | l | 15m load avg
    -> uptime | u | node uptime
    node.role | r,role,nodeRole | m:master eligible node, d:data node, i:ingest node, -:coordinating node only
    node.roles | rs,all roles | -:coordinating node only
    cluster_manager | cm,m,master | *:current cluster manager
    name | n | node name
    -> completion.size | cs,completionSize | size of completion
    -> fielddata.memory_size | fm,fielddataMemory | used fielddata cache
    -> fielddata.evictions | fe,fielddataEvictions | fielddata evictions
    -> query_cache.memory_size | qcm,queryCacheMemory | used query cache
    -> query_cache.evictions | qce,queryCacheEvictions | query cache evictions
    -> query_cache.hit_count | qchc,queryCacheHitCount | query cache hit counts
    -> query_cache.miss_count | qcmc,queryCacheMissCount | query cache miss counts
    -> request_cache.memory_size | rcm,requestCacheMemory | used request cache
    -> request_cache.evictions | rce,requestCacheEvictions | request cache evictions
    -> request_cache.hit_count | rchc,requestCacheHitCount | request cache hit counts
    -> request_cache.miss_count | rcmc,requestCacheMissCount | request cache miss counts
    -> flush.total | ft,flushTotal | number of flushes
    -> flush.total_time | ftt,flushTotalTime | time spent in flush
    -> get.current | gc,getCurrent | number of current get ops
    -> get.time | gti,getTime | time spent in get
    -> get.total | gto,getTotal | number of get ops
    -> get.exists_time | geti,getExistsTime | time spent in successful gets
    -> get.exists_total | geto,getExistsTotal | number of successful gets
    -> get.missing_time | gmti,getMissingTime | time spent in failed gets
    -> get.missing_total | gmto,getMissingTotal | number of failed gets
    -> indexing.delete_current | idc,indexingDeleteCurrent | number of current deletions
    -> indexing.delete_time | idti,indexingDeleteTime | time spent in deletions
    -> indexing.delete_total | idto,indexingDeleteTotal | number of delete ops
    -> indexing.index_current | iic,indexingIndexCurrent | number of current indexing ops
    -> indexing.index_time | iiti,indexingIndexTime | time spent in indexing
    -> indexing.index_total | iito,indexingIndexTotal | number of indexing ops
    -> indexing.index_failed | iif,indexingIndexFailed | number of failed indexing ops
    -> merges.current | mc,mergesCurrent | number of current merges
    -> merges.current_docs | mcd,mergesCurrentDocs | number of current merging docs
    -> merges.current_size | mcs,mergesCurrentSize | size of current merges
    -> merges.total | mt,mergesTotal | number of completed merge ops
    -> merges.total_docs | mtd,mergesTotalDocs | docs merged
    -> merges.total_size | mts,mergesTotalSize | size merged
    -> merges.total_time | mtt,mergesTotalTime | time spent in merges
    -> refresh.total | rto,refreshTotal | total refreshes
    -> refresh.time | rti,refreshTime | time spent in refreshes
    -> refresh.external_total | rto,refreshTotal | total external refreshes
    -> refresh.external_time | rti,refreshTime | time spent in external refreshes
    -> refresh.listeners | rli,refreshListeners | number of pending refresh listeners
    -> script.compilations | scrcc,scriptCompilations | script compilations
    -> script.cache_evictions | scrce,scriptCacheEvictions | script cache evictions
    -> script.compilation_limit_triggered | scrclt,scriptCacheCompilationLimitTriggered | limit triggered
    -> search.fetch_current | sfc,searchFetchCurrent | current fetch phase ops
    -> search.fetch_time | sfti,searchFetchTime | time spent in fetch phase
    -> search.fetch_total | sfto,searchFetchTotal | total fetch ops
    -> search.open_contexts | so,searchOpenContexts | open search contexts
    -> search.query_current | sqc,searchQueryCurrent | current query phase ops
    -> search.query_time | sqti,searchQueryTime | time spent in query phase
    -> search.query_total | sqto,searchQueryTotal | total query phase ops
    -> search.query_failed | sqf,searchQueryFailed | total failed query phase ops
    -> search.concurrent_query_current | scqc,searchConcurrentQueryCurrent | current concurrent query phase ops
    -> search.concurrent_query_time | scqti,searchConcurrentQueryTime | time spent in concurrent query phase
    -> search.concurrent_query_total | scqto,searchConcurrentQueryTotal | total concurrent query phase ops
    -> search.concurrent_avg_slice_count | casc,searchConcurrentAvgSliceCount | average query concurrency
    -> search.scroll_current | scc,searchScrollCurrent | open scroll contexts
    -> search.scroll_time | scti,searchScrollTime | time scroll contexts held open
    -> search.scroll_total | scto,searchScrollTotal | completed scroll contexts
    -> search.point_in_time_current | scc,searchPointInTimeCurrent | open point in time contexts
    -> search.point_in_time_time | scti,searchPointInTimeTime | time point in time contexts held open
    -> search.point_in_time_total | scto,searchPointInTimeTotal | completed point in time contexts
    -> segments.count | sc,segmentsCount | number of segments
    -> segments.memory | sm,segmentsMemory | memory used by segments
    -> segments.index_writer_memory | siwm,segmentsIndexWriterMemory | memory used by index writer
    -> segments.version_map_memory | svmm,segmentsVersionMapMemory | memory used by version map
    -> segments.fixed_bitset_memory | sfbm,fixedBitsetMemory | memory used by fixed bit sets for nested fields
    -> suggest.current | suc,suggestCurrent | number of current suggest ops
    -> suggest.time | suti,suggestTime | time spend in suggest
    -> suggest.total | suto,suggestTotal | number of suggest ops
    """
)
